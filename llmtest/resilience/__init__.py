"""What to do when providers fail: fallback, circuit breaker, retry, timeout, and the clients that use them.

| file | what it is |
|---|---|
| `_chain`, `_builder` | several providers that answer as one, and a chain built step by step |
| `_client`, `_chat_session`, `_agent` | what an application holds: one object to ask, a conversation, several of them |
| `_metrics` | counts of a chain |
| `_order` | orders of policies by the names of the systems that have them |
| `_description` | a chain in words and as data |
| `_own_prices` | prices that providers were given |
| `_own_provider` | what makes a whole provider of a class that has `name` and `complete` alone |
| `_classification` | what an error means for the policies: one table |
| `_stream_start` | a streamed call in chained words |
| `_timeout` | limits of an attempt, deadline of a call |
| `_budget_guard` | the budget of a chain |
| `_http_guard` | the budget of code that talks HTTP itself |
| `pipeline/` | one call under way, the seams where strategies are put in, streams |
| `fallback/`, `breaker/`, `retry/`, `cache/`, `health/` | one strategy each |
| `hedging/`, `limiting/`, `routing/`, `context/` | one strategy each, too |
| `assembly/` | what goes into a prompt besides the question |
"""

from llmtest.resilience._agent import AsyncLLMAgent, LLMAgent
from llmtest.resilience._budget_guard import BudgetGuard, SpendGuard
from llmtest.resilience._builder import FallbackChainBuilder
from llmtest.resilience._chain import FallbackChain
from llmtest.resilience._chat_session import AsyncChatSession, ChatSession
from llmtest.resilience._classification import Conduct, conduct_of
from llmtest.resilience._client import AsyncLLMClient, LLMClient
from llmtest.resilience._description import ChainDescription, SlotDescription
from llmtest.resilience._http_guard import guarded_transport
from llmtest.resilience._metrics import ChainMetrics, ProviderMetrics
from llmtest.resilience._order import ORDERS, ChainOrder
from llmtest.resilience._shared_state import SharedState
from llmtest.resilience._stream_start import StreamStart
from llmtest.resilience._timeout import TimeoutConfig
from llmtest.resilience.assembly._assembled import AssembledContext, ContextMetadata, LeftOut
from llmtest.resilience.assembly._assembled_provider import AssembledProvider
from llmtest.resilience.assembly._assembler import ContextAssembler
from llmtest.resilience.assembly._relevance import likeness, relevance
from llmtest.resilience.assembly._requirements import ContextFormat, ContextRequirements, MemorySearch
from llmtest.resilience.assembly._source import ContextItem, ContextNeed, ContextSource
from llmtest.resilience.breaker._breaker import CircuitBreaker
from llmtest.resilience.breaker._breaker_config import CircuitBreakerConfig
from llmtest.resilience.breaker._breaker_layer import BREAKER
from llmtest.resilience.breaker._breaker_provider import CircuitBreakerProvider
from llmtest.resilience.breaker._breaker_store import (
    BreakerStore,
    CircuitAdmission,
    CircuitChange,
    CircuitReading,
    CircuitRefusal,
    RemoteCircuit,
    StoredCircuit,
)
from llmtest.resilience.breaker._memory_circuit import MemoryBreakerStore, MemoryCircuit
from llmtest.resilience.cache._answer_codec import decode_answer, encode_answer
from llmtest.resilience.cache._cache_config import ResponseCacheConfig
from llmtest.resilience.cache._cache_layer import CacheLayer
from llmtest.resilience.cache._cache_stats import CacheStats
from llmtest.resilience.cache._cache_store import Absence, CacheStore, Room, Similar, WaitingCacheStore, Which
from llmtest.resilience.cache._cache_store import matches as answer_matches
from llmtest.resilience.cache._cached_answer import CachedAnswer
from llmtest.resilience.cache._cached_provider import CachedProvider
from llmtest.resilience.cache._embedder import Embedder, WordEmbedder, as_embedder
from llmtest.resilience.cache._memory_store import MemoryCacheStore
from llmtest.resilience.cache._response_cache import ResponseCache
from llmtest.resilience.cache._sqlite_store import SqliteCacheStore
from llmtest.resilience.context._context_layer import ContextLayer
from llmtest.resilience.context._token_budget_config import TokenBudgetConfig
from llmtest.resilience.fallback._failover import (
    CooldownConfig,
    FailoverConfig,
    FailoverProvider,
    FailoverTrigger,
    FallbackProvider,
)
from llmtest.resilience.fallback._key_store import KeyRecord, MemoryKeyStore, RefusedKeyStore, RemoteKeyStore
from llmtest.resilience.fallback._listed_order import ListedOrder
from llmtest.resilience.fallback._slot import FallbackSlot, UnmappedModels
from llmtest.resilience.fallback._strategies import STRATEGIES, Strategy
from llmtest.resilience.fallback._strict_mofa import strict_mofa
from llmtest.resilience.fallback._trigger import FallbackCondition, FallbackTrigger
from llmtest.resilience.health._chain_health import ChainHealth
from llmtest.resilience.health._health_config import AlertConfig, HealthConfig
from llmtest.resilience.health._health_store import (
    HealthReading,
    HealthRules,
    HealthStore,
    RemoteHealth,
    StoredHealth,
)
from llmtest.resilience.health._memory_health import MemoryHealth, MemoryHealthStore
from llmtest.resilience.health._slot_health import SlotReport
from llmtest.resilience.hedging._hedged_provider import HedgedProvider
from llmtest.resilience.hedging._hedging import HedgingConfig
from llmtest.resilience.limiting._limited_provider import RateLimitedProvider
from llmtest.resilience.limiting._limiter import RateLimiter
from llmtest.resilience.limiting._limits import RateLimitConfig
from llmtest.resilience.limiting._store import Admission, Asking, Ended, LimiterStore, MemoryLimiterStore
from llmtest.resilience.pipeline._completion_stream import AsyncCompletionStream, CompletionStream
from llmtest.resilience.pipeline._layers import (
    AskCall,
    AskPlace,
    AttemptGuard,
    CallLayer,
    PlaceLayer,
    Result,
    Selection,
)
from llmtest.resilience.pipeline._open_stream import OpenStream, StreamCommit
from llmtest.resilience.pipeline._pipeline import Pipeline
from llmtest.resilience.pipeline._running_attempt import Permit, RunningAttempt
from llmtest.resilience.pipeline._running_call import RunningCall
from llmtest.resilience.pipeline._running_slot import RunningSlot
from llmtest.resilience.pipeline._visit import Visit
from llmtest.resilience.retry._prompt_retry import PromptRetry
from llmtest.resilience.retry._retry import RetryConfig
from llmtest.resilience.retry._retry_budget import RetryBudget
from llmtest.resilience.retry._retry_condition import RetryCondition
from llmtest.resilience.retry._retry_layer import RETRY
from llmtest.resilience.retry._retry_provider import RetryProvider
from llmtest.resilience.routing._adaptive import AdaptiveRoutingConfig
from llmtest.resilience.routing._context_caps import ContextCaps
from llmtest.resilience.routing._score import Explanation, Part, Tier, explain
from llmtest.resilience.routing._smart_config import SmartRoutingConfig
from llmtest.resilience.routing._smart_layer import SmartRoutingStats
from llmtest.resilience.routing._smart_provider import SmartRoutingProvider
from llmtest.resilience.routing._task_flow import LLMRouterOrchestrator, TaskMetrics
from llmtest.resilience.routing._task_router import LLMRouter, MockLLMClient
from llmtest.resilience.routing._tasks import (
    Complexity,
    Quality,
    Task,
    TaskContext,
    TaskRequest,
    TaskResponse,
    TaskType,
)

__all__ = [
    "BREAKER",
    "ORDERS",
    "RETRY",
    "STRATEGIES",
    "Absence",
    "AdaptiveRoutingConfig",
    "Admission",
    "AlertConfig",
    "AskCall",
    "AskPlace",
    "Asking",
    "AssembledContext",
    "AssembledProvider",
    "AsyncChatSession",
    "AsyncCompletionStream",
    "AsyncLLMAgent",
    "AsyncLLMClient",
    "AttemptGuard",
    "BreakerStore",
    "BudgetGuard",
    "CacheLayer",
    "CacheStats",
    "CacheStore",
    "CachedAnswer",
    "CachedProvider",
    "CallLayer",
    "ChainDescription",
    "ChainHealth",
    "ChainMetrics",
    "ChainOrder",
    "ChatSession",
    "CircuitAdmission",
    "CircuitBreaker",
    "CircuitBreakerConfig",
    "CircuitBreakerProvider",
    "CircuitChange",
    "CircuitReading",
    "CircuitRefusal",
    "CompletionStream",
    "Complexity",
    "Conduct",
    "ContextAssembler",
    "ContextCaps",
    "ContextFormat",
    "ContextItem",
    "ContextLayer",
    "ContextMetadata",
    "ContextNeed",
    "ContextRequirements",
    "ContextSource",
    "CooldownConfig",
    "Embedder",
    "Ended",
    "Explanation",
    "FailoverConfig",
    "FailoverProvider",
    "FailoverTrigger",
    "FallbackChain",
    "FallbackChainBuilder",
    "FallbackCondition",
    "FallbackProvider",
    "FallbackSlot",
    "FallbackTrigger",
    "HealthConfig",
    "HealthReading",
    "HealthRules",
    "HealthStore",
    "HedgedProvider",
    "HedgingConfig",
    "KeyRecord",
    "LLMAgent",
    "LLMClient",
    "LLMRouter",
    "LLMRouterOrchestrator",
    "LeftOut",
    "LimiterStore",
    "ListedOrder",
    "MemoryBreakerStore",
    "MemoryCacheStore",
    "MemoryCircuit",
    "MemoryHealth",
    "MemoryHealthStore",
    "MemoryKeyStore",
    "MemoryLimiterStore",
    "MemorySearch",
    "MockLLMClient",
    "OpenStream",
    "Part",
    "Permit",
    "Pipeline",
    "PlaceLayer",
    "PromptRetry",
    "ProviderMetrics",
    "Quality",
    "RateLimitConfig",
    "RateLimitedProvider",
    "RateLimiter",
    "RefusedKeyStore",
    "RemoteCircuit",
    "RemoteHealth",
    "RemoteKeyStore",
    "ResponseCache",
    "ResponseCacheConfig",
    "Result",
    "RetryBudget",
    "RetryCondition",
    "RetryConfig",
    "RetryProvider",
    "Room",
    "RunningAttempt",
    "RunningCall",
    "RunningSlot",
    "Selection",
    "SharedState",
    "Similar",
    "SlotDescription",
    "SlotReport",
    "SmartRoutingConfig",
    "SmartRoutingProvider",
    "SmartRoutingStats",
    "SpendGuard",
    "SqliteCacheStore",
    "StoredCircuit",
    "StoredHealth",
    "Strategy",
    "StreamCommit",
    "StreamStart",
    "Task",
    "TaskContext",
    "TaskMetrics",
    "TaskRequest",
    "TaskResponse",
    "TaskType",
    "Tier",
    "TimeoutConfig",
    "TokenBudgetConfig",
    "UnmappedModels",
    "Visit",
    "WaitingCacheStore",
    "Which",
    "WordEmbedder",
    "answer_matches",
    "as_embedder",
    "conduct_of",
    "decode_answer",
    "encode_answer",
    "explain",
    "guarded_transport",
    "likeness",
    "relevance",
    "strict_mofa",
]
