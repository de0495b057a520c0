"""A circuit breaker alone, around one provider."""

from __future__ import annotations

from llmtest.resilience._chain import FallbackChain
from llmtest.resilience.breaker._breaker_config import CircuitBreakerConfig
from llmtest.resilience.breaker._breaker_store import BreakerStore
from llmtest.resilience.fallback._one_policy import slot_with
from llmtest.resilience.fallback._slot import FallbackSlot
from llmtest.types import Provider

__all__ = ["CircuitBreakerProvider"]


class CircuitBreakerProvider(FallbackChain):
    """A provider that is left alone for a while when it keeps failing; it has no other policy.

    While it is left alone a call ends with `AllProvidersFailedError`, as that of a chain does, whose one error is a
    `CircuitOpenError`.

    Args:
        provider: Who answers; a chain keeps its own policies, and its circuit sees one result for each of its calls.
        config: When the circuit opens and closes; by default `CircuitBreakerConfig()`.
        store: What keeps the circuit, for all that are given the same one; None: in memory, for this one alone.

    Raises:
        ConfigurationError: It is no provider, the settings are no `CircuitBreakerConfig`, or its slot has a circuit
            already.

    Example:
        >>> from llmtest import CircuitBreakerConfig, CircuitBreakerProvider, OpenAIProvider
        >>> guarded = CircuitBreakerProvider(OpenAIProvider("sk-..."), CircuitBreakerConfig(failure_threshold=3))
        >>> guarded.breaker("openai").state
        'closed'
    """

    def __init__(
        self,
        provider: Provider | FallbackSlot,
        config: CircuitBreakerConfig | None = None,
        *,
        store: BreakerStore | None = None,
    ) -> None:
        slot = slot_with(
            provider,
            "circuit_breaker",
            config,
            kind=CircuitBreakerConfig,
            user="CircuitBreakerProvider",
            fix="failure_threshold=5",
        )
        super().__init__(
            [slot],
            name=slot.provider.name,
            retry=None,
            circuit_breaker=None,
            timeouts=None,
            breaker_store=store,
        )
        self.model = slot.provider.model
