"""A slot of a chain as it is configured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from llmtest.resilience._own_provider import as_provider
from llmtest.resilience._timeout import TimeoutConfig
from llmtest.resilience.breaker._breaker import CircuitBreakerConfig
from llmtest.resilience.fallback._trigger import FallbackTrigger
from llmtest.resilience.retry._retry import RetryConfig
from llmtest.types import CompletionRequest, Provider

__all__ = ["FallbackSlot"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FallbackSlot:
    """One place of a chain; what is None here is taken from the chain.

    Args:
        provider: Who answers; an object with `name` and `complete` alone is one, too.
        trigger: Which of its failures send the call to the next slot.
        model_mapping: Model to ask this provider for, by the model that the request names; `"*"` stands for every
            other one.
        retry: How often and when it is asked again.
        timeouts: How long it may take.
        circuit_breaker: When its circuit opens.
        quota_group: Slots of one group share their provider's quota: a 429 or an empty account of one lets all of
            them cool down. An empty account does so to every slot with the same key anyway.
        name: What its circuit is called; by default as its provider is.
        max_tokens: Most tokens of an answer, where a request does not say.
        temperature: From 0.0 to 2.0, where a request does not say.
        context_window: Tokens that prompt and answer may hold together; by default as its provider says.

    Raises:
        ConfigurationError: The provider is none.
    """

    provider: Provider
    trigger: FallbackTrigger = field(default_factory=FallbackTrigger)
    model_mapping: Mapping[str, str] = field(default_factory=dict)
    retry: RetryConfig | None = None
    timeouts: TimeoutConfig | None = None
    circuit_breaker: CircuitBreakerConfig | None = None
    quota_group: str | None = None

    name: str | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    context_window: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "provider", as_provider(self.provider))

    @property
    def has_defaults(self) -> bool:
        """Whether it says something where a request does not."""
        return self.max_tokens is not None or self.temperature is not None

    def completed(self, request: CompletionRequest) -> CompletionRequest:
        """Return the request with what the slot says and the request does not."""
        if self.max_tokens is not None and request.max_tokens is None:
            request = replace(request, max_tokens=self.max_tokens)
        if self.temperature is not None and request.temperature is None:
            request = replace(request, temperature=self.temperature)
        return request
