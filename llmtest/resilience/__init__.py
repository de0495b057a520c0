"""What to do when providers fail: fallback, circuit breaker, retry, timeout, and the clients that use them."""

from llmtest.resilience._breaker import CircuitBreaker, CircuitBreakerConfig
from llmtest.resilience._builder import FallbackChainBuilder
from llmtest.resilience._chain import FallbackChain
from llmtest.resilience._classification import Conduct, conduct_of
from llmtest.resilience._client import AsyncLLMClient, LLMClient
from llmtest.resilience._metrics import ChainMetrics, ProviderMetrics
from llmtest.resilience._retry import RetryBudget, RetryConfig
from llmtest.resilience._timeout import TimeoutConfig
from llmtest.resilience.fallback._slot import FallbackSlot
from llmtest.resilience.fallback._trigger import FallbackCondition, FallbackTrigger
from llmtest.resilience.pipeline._call import SpendGuard
from llmtest.resilience.pipeline._completion_stream import AsyncCompletionStream, CompletionStream

__all__ = [
    "AsyncCompletionStream",
    "AsyncLLMClient",
    "ChainMetrics",
    "CircuitBreaker",
    "CircuitBreakerConfig",
    "CompletionStream",
    "Conduct",
    "FallbackChain",
    "FallbackChainBuilder",
    "FallbackCondition",
    "FallbackSlot",
    "FallbackTrigger",
    "LLMClient",
    "ProviderMetrics",
    "RetryBudget",
    "RetryConfig",
    "SpendGuard",
    "TimeoutConfig",
    "conduct_of",
]
