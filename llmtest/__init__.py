"""Test and simulate LLM applications: pytest loads this package in every run, so names are imported on first use."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llmtest import errors as errors
    from llmtest import faults as faults
    from llmtest.cassettes import Cassette as Cassette
    from llmtest.cassettes import use_cassette as use_cassette
    from llmtest.clock import SystemClock as SystemClock
    from llmtest.clock import VirtualClock as VirtualClock
    from llmtest.config import LLMAgentBuilder as LLMAgentBuilder
    from llmtest.config import build_chain as build_chain
    from llmtest.config import build_provider_chain as build_provider_chain
    from llmtest.config import load_config as load_config
    from llmtest.config import load_context_requirements as load_context_requirements
    from llmtest.config import load_prices as load_prices
    from llmtest.costs import Budget as Budget
    from llmtest.costs import BudgetConfig as BudgetConfig
    from llmtest.costs import CostLedger as CostLedger
    from llmtest.costs import CostManagementPolicy as CostManagementPolicy
    from llmtest.costs import Prices as Prices
    from llmtest.costs import SqliteBudgetStore as SqliteBudgetStore
    from llmtest.costs import SqliteLedgerStore as SqliteLedgerStore
    from llmtest.errors import AllProvidersFailedError as AllProvidersFailedError
    from llmtest.errors import AmbiguousCallError as AmbiguousCallError
    from llmtest.errors import AuthenticationError as AuthenticationError
    from llmtest.errors import BudgetExceededError as BudgetExceededError
    from llmtest.errors import CassetteFileError as CassetteFileError
    from llmtest.errors import CassetteMismatchError as CassetteMismatchError
    from llmtest.errors import CassetteWarning as CassetteWarning
    from llmtest.errors import CircuitOpenError as CircuitOpenError
    from llmtest.errors import ConfigurationError as ConfigurationError
    from llmtest.errors import ContentFilteredError as ContentFilteredError
    from llmtest.errors import ContextLengthExceededError as ContextLengthExceededError
    from llmtest.errors import DeadlineExceededError as DeadlineExceededError
    from llmtest.errors import EmptyResponseError as EmptyResponseError
    from llmtest.errors import HarnessError as HarnessError
    from llmtest.errors import InvalidRequestError as InvalidRequestError
    from llmtest.errors import InvalidResponseError as InvalidResponseError
    from llmtest.errors import LLMTestError as LLMTestError
    from llmtest.errors import ModelNotFoundError as ModelNotFoundError
    from llmtest.errors import NetworkBlockedError as NetworkBlockedError
    from llmtest.errors import NotSupportedError as NotSupportedError
    from llmtest.errors import OverloadedError as OverloadedError
    from llmtest.errors import PermissionDeniedError as PermissionDeniedError
    from llmtest.errors import ProviderConnectionError as ProviderConnectionError
    from llmtest.errors import ProviderError as ProviderError
    from llmtest.errors import ProviderTimeoutError as ProviderTimeoutError
    from llmtest.errors import QuotaExceededError as QuotaExceededError
    from llmtest.errors import RateLimitedError as RateLimitedError
    from llmtest.errors import RejectedError as RejectedError
    from llmtest.errors import RequestTooLargeError as RequestTooLargeError
    from llmtest.errors import ScenarioError as ScenarioError
    from llmtest.errors import ServerError as ServerError
    from llmtest.errors import SessionExpiredError as SessionExpiredError
    from llmtest.errors import SessionRenewalFailedError as SessionRenewalFailedError
    from llmtest.errors import SimulationStateError as SimulationStateError
    from llmtest.errors import StreamInterruptedError as StreamInterruptedError
    from llmtest.errors import ThrottledError as ThrottledError
    from llmtest.errors import UnknownPriceError as UnknownPriceError
    from llmtest.errors import UnknownProviderError as UnknownProviderError
    from llmtest.errors import UnscriptedRequestError as UnscriptedRequestError
    from llmtest.errors import UnusedStepsError as UnusedStepsError
    from llmtest.errors import VirtualTimeLivelockError as VirtualTimeLivelockError
    from llmtest.errors import VirtualTimeStalledError as VirtualTimeStalledError
    from llmtest.events import Trace as Trace
    from llmtest.providers import AnthropicProvider as AnthropicProvider
    from llmtest.providers import AzureOpenAIProvider as AzureOpenAIProvider
    from llmtest.providers import ClientCredentials as ClientCredentials
    from llmtest.providers import CustomProvider as CustomProvider
    from llmtest.providers import GeminiProvider as GeminiProvider
    from llmtest.providers import OllamaProvider as OllamaProvider
    from llmtest.providers import OpenAICompatibleProvider as OpenAICompatibleProvider
    from llmtest.providers import OpenAIProvider as OpenAIProvider
    from llmtest.providers import OpenRouterProvider as OpenRouterProvider
    from llmtest.providers import SessionToken as SessionToken
    from llmtest.providers import VLLMProvider as VLLMProvider
    from llmtest.reporting import OpenTelemetrySpans as OpenTelemetrySpans
    from llmtest.reporting import PrometheusMetrics as PrometheusMetrics
    from llmtest.reporting import export_spans as export_spans
    from llmtest.resilience import AdaptiveRoutingConfig as AdaptiveRoutingConfig
    from llmtest.resilience import AlertConfig as AlertConfig
    from llmtest.resilience import AssembledProvider as AssembledProvider
    from llmtest.resilience import AsyncChatSession as AsyncChatSession
    from llmtest.resilience import AsyncLLMAgent as AsyncLLMAgent
    from llmtest.resilience import AsyncLLMClient as AsyncLLMClient
    from llmtest.resilience import CachedProvider as CachedProvider
    from llmtest.resilience import ChatSession as ChatSession
    from llmtest.resilience import CircuitBreaker as CircuitBreaker
    from llmtest.resilience import CircuitBreakerConfig as CircuitBreakerConfig
    from llmtest.resilience import CircuitBreakerProvider as CircuitBreakerProvider
    from llmtest.resilience import Complexity as Complexity
    from llmtest.resilience import ContextAssembler as ContextAssembler
    from llmtest.resilience import ContextItem as ContextItem
    from llmtest.resilience import ContextRequirements as ContextRequirements
    from llmtest.resilience import ContextSource as ContextSource
    from llmtest.resilience import CooldownConfig as CooldownConfig
    from llmtest.resilience import FailoverConfig as FailoverConfig
    from llmtest.resilience import FailoverProvider as FailoverProvider
    from llmtest.resilience import FailoverTrigger as FailoverTrigger
    from llmtest.resilience import FallbackChain as FallbackChain
    from llmtest.resilience import FallbackCondition as FallbackCondition
    from llmtest.resilience import FallbackProvider as FallbackProvider
    from llmtest.resilience import FallbackSlot as FallbackSlot
    from llmtest.resilience import FallbackTrigger as FallbackTrigger
    from llmtest.resilience import HealthConfig as HealthConfig
    from llmtest.resilience import HedgedProvider as HedgedProvider
    from llmtest.resilience import HedgingConfig as HedgingConfig
    from llmtest.resilience import LLMAgent as LLMAgent
    from llmtest.resilience import LLMClient as LLMClient
    from llmtest.resilience import LLMRouter as LLMRouter
    from llmtest.resilience import LLMRouterOrchestrator as LLMRouterOrchestrator
    from llmtest.resilience import PromptRetry as PromptRetry
    from llmtest.resilience import Quality as Quality
    from llmtest.resilience import RateLimitConfig as RateLimitConfig
    from llmtest.resilience import RateLimitedProvider as RateLimitedProvider
    from llmtest.resilience import RateLimiter as RateLimiter
    from llmtest.resilience import ResponseCache as ResponseCache
    from llmtest.resilience import ResponseCacheConfig as ResponseCacheConfig
    from llmtest.resilience import RetryBudget as RetryBudget
    from llmtest.resilience import RetryConfig as RetryConfig
    from llmtest.resilience import RetryProvider as RetryProvider
    from llmtest.resilience import SharedState as SharedState
    from llmtest.resilience import SmartRoutingConfig as SmartRoutingConfig
    from llmtest.resilience import SmartRoutingProvider as SmartRoutingProvider
    from llmtest.resilience import SqliteCacheStore as SqliteCacheStore
    from llmtest.resilience import Task as Task
    from llmtest.resilience import TaskContext as TaskContext
    from llmtest.resilience import TaskRequest as TaskRequest
    from llmtest.resilience import TaskResponse as TaskResponse
    from llmtest.resilience import TaskType as TaskType
    from llmtest.resilience import TimeoutConfig as TimeoutConfig
    from llmtest.resilience import TokenBudgetConfig as TokenBudgetConfig
    from llmtest.resilience import WordEmbedder as WordEmbedder
    from llmtest.resilience import strict_mofa as strict_mofa
    from llmtest.scenarios import Scenario as Scenario
    from llmtest.scenarios import load_scenario as load_scenario
    from llmtest.scenarios import run_scenario as run_scenario
    from llmtest.simulation import Embedding as Embedding
    from llmtest.simulation import Gamma as Gamma
    from llmtest.simulation import Json as Json
    from llmtest.simulation import Lognormal as Lognormal
    from llmtest.simulation import Raw as Raw
    from llmtest.simulation import Reply as Reply
    from llmtest.simulation import Uniform as Uniform
    from llmtest.stores import RedisBreakerStore as RedisBreakerStore
    from llmtest.stores import RedisBudgetStore as RedisBudgetStore
    from llmtest.stores import RedisCacheStore as RedisCacheStore
    from llmtest.stores import RedisHealthStore as RedisHealthStore
    from llmtest.stores import RedisKeyStore as RedisKeyStore
    from llmtest.stores import RedisLedgerStore as RedisLedgerStore
    from llmtest.stores import RedisLimiterStore as RedisLimiterStore
    from llmtest.stores import RedisState as RedisState
    from llmtest.testing import AsyncSimulationTestCase as AsyncSimulationTestCase
    from llmtest.testing import Simulation as Simulation
    from llmtest.testing import SimulationTestCase as SimulationTestCase
    from llmtest.testing import unordered as unordered
    from llmtest.types import Attempt as Attempt
    from llmtest.types import AudioPart as AudioPart
    from llmtest.types import BatchJob as BatchJob
    from llmtest.types import BatchRequest as BatchRequest
    from llmtest.types import BatchResult as BatchResult
    from llmtest.types import Capabilities as Capabilities
    from llmtest.types import ChatMessage as ChatMessage
    from llmtest.types import CompletionRequest as CompletionRequest
    from llmtest.types import CompletionResponse as CompletionResponse
    from llmtest.types import EmbeddingRequest as EmbeddingRequest
    from llmtest.types import EmbeddingResponse as EmbeddingResponse
    from llmtest.types import FilePart as FilePart
    from llmtest.types import FinishReason as FinishReason
    from llmtest.types import HealthReport as HealthReport
    from llmtest.types import ImagePart as ImagePart
    from llmtest.types import ModelCard as ModelCard
    from llmtest.types import ModelMetadata as ModelMetadata
    from llmtest.types import Provider as Provider
    from llmtest.types import ResponseFormat as ResponseFormat
    from llmtest.types import StreamEvent as StreamEvent
    from llmtest.types import TextPart as TextPart
    from llmtest.types import Timeouts as Timeouts
    from llmtest.types import TokenCountRequest as TokenCountRequest
    from llmtest.types import TokenCountResult as TokenCountResult
    from llmtest.types import ToolCall as ToolCall
    from llmtest.types import ToolDefinition as ToolDefinition
    from llmtest.types import ToolResult as ToolResult
    from llmtest.types import Usage as Usage

    __version__: str

_HOMES: dict[str, str] = {
    name: home
    for home, names in {
        "llmtest.cassettes": ("Cassette", "use_cassette"),
        "llmtest.clock": ("SystemClock", "VirtualClock"),
        "llmtest.config": (
            "LLMAgentBuilder",
            "build_chain",
            "build_provider_chain",
            "load_config",
            "load_context_requirements",
            "load_prices",
        ),
        "llmtest.costs": (
            "Budget",
            "BudgetConfig",
            "CostLedger",
            "CostManagementPolicy",
            "Prices",
            "SqliteBudgetStore",
            "SqliteLedgerStore",
        ),
        "llmtest.errors": (
            "AllProvidersFailedError",
            "AmbiguousCallError",
            "AuthenticationError",
            "BudgetExceededError",
            "CassetteFileError",
            "CassetteMismatchError",
            "CassetteWarning",
            "CircuitOpenError",
            "ConfigurationError",
            "ContentFilteredError",
            "ContextLengthExceededError",
            "DeadlineExceededError",
            "EmptyResponseError",
            "HarnessError",
            "InvalidRequestError",
            "InvalidResponseError",
            "LLMTestError",
            "ModelNotFoundError",
            "NetworkBlockedError",
            "NotSupportedError",
            "OverloadedError",
            "PermissionDeniedError",
            "ProviderConnectionError",
            "ProviderError",
            "ProviderTimeoutError",
            "QuotaExceededError",
            "RateLimitedError",
            "RejectedError",
            "RequestTooLargeError",
            "ScenarioError",
            "ServerError",
            "SessionExpiredError",
            "SessionRenewalFailedError",
            "SimulationStateError",
            "StreamInterruptedError",
            "ThrottledError",
            "UnknownPriceError",
            "UnknownProviderError",
            "UnscriptedRequestError",
            "UnusedStepsError",
            "VirtualTimeLivelockError",
            "VirtualTimeStalledError",
        ),
        "llmtest.events": ("Trace",),
        "llmtest.providers": (
            "AnthropicProvider",
            "AzureOpenAIProvider",
            "ClientCredentials",
            "CustomProvider",
            "GeminiProvider",
            "OllamaProvider",
            "OpenAICompatibleProvider",
            "OpenAIProvider",
            "OpenRouterProvider",
            "SessionToken",
            "VLLMProvider",
        ),
        "llmtest.reporting": ("OpenTelemetrySpans", "PrometheusMetrics", "export_spans"),
        "llmtest.resilience": (
            "AdaptiveRoutingConfig",
            "AlertConfig",
            "AssembledProvider",
            "ContextAssembler",
            "ContextItem",
            "ContextRequirements",
            "ContextSource",
            "AsyncLLMClient",
            "CachedProvider",
            "CircuitBreaker",
            "CircuitBreakerConfig",
            "CircuitBreakerProvider",
            "Complexity",
            "CooldownConfig",
            "FailoverConfig",
            "FailoverProvider",
            "FailoverTrigger",
            "FallbackChain",
            "FallbackCondition",
            "FallbackProvider",
            "FallbackSlot",
            "FallbackTrigger",
            "HedgedProvider",
            "AsyncChatSession",
            "AsyncLLMAgent",
            "ChatSession",
            "HealthConfig",
            "HedgingConfig",
            "TokenBudgetConfig",
            "LLMAgent",
            "LLMClient",
            "LLMRouter",
            "LLMRouterOrchestrator",
            "PromptRetry",
            "Quality",
            "RateLimitConfig",
            "RateLimitedProvider",
            "RateLimiter",
            "ResponseCache",
            "ResponseCacheConfig",
            "RetryBudget",
            "RetryConfig",
            "RetryProvider",
            "SharedState",
            "SmartRoutingConfig",
            "SmartRoutingProvider",
            "SqliteCacheStore",
            "Task",
            "TaskContext",
            "TaskRequest",
            "TaskResponse",
            "TaskType",
            "TimeoutConfig",
            "WordEmbedder",
            "strict_mofa",
        ),
        "llmtest.scenarios": ("Scenario", "load_scenario", "run_scenario"),
        "llmtest.simulation": ("Embedding", "Gamma", "Json", "Lognormal", "Raw", "Reply", "Uniform"),
        "llmtest.stores": (
            "RedisBreakerStore",
            "RedisBudgetStore",
            "RedisCacheStore",
            "RedisHealthStore",
            "RedisKeyStore",
            "RedisLedgerStore",
            "RedisLimiterStore",
            "RedisState",
        ),
        "llmtest.testing": ("AsyncSimulationTestCase", "Simulation", "SimulationTestCase", "unordered"),
        "llmtest.types": (
            "Attempt",
            "AudioPart",
            "BatchJob",
            "BatchRequest",
            "BatchResult",
            "Capabilities",
            "ChatMessage",
            "CompletionRequest",
            "CompletionResponse",
            "EmbeddingRequest",
            "EmbeddingResponse",
            "FilePart",
            "FinishReason",
            "HealthReport",
            "ImagePart",
            "ModelCard",
            "ModelMetadata",
            "Provider",
            "ResponseFormat",
            "StreamEvent",
            "TextPart",
            "Timeouts",
            "TokenCountRequest",
            "TokenCountResult",
            "ToolCall",
            "ToolDefinition",
            "ToolResult",
            "Usage",
        ),
    }.items()
    for name in names
}

__all__ = sorted([*_HOMES, "errors", "faults"])  # noqa: PLE0605 - sorted, and tested to be complete


def __getattr__(name: str) -> object:
    if name in {"errors", "faults"}:
        return import_module(f"llmtest.{name}")
    if name == "__version__":
        from importlib.metadata import version

        return version("llmtest-sim")
    if name not in _HOMES:
        from llmtest.types._spelling import did_you_mean

        hint = "" if name.startswith("_") else did_you_mean(name, __all__)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}{hint and f'.{hint}'}", name=name)
    value = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return value


def __dir__() -> list[str]:
    return __all__
