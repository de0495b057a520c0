"""A slot of a chain as it is configured."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from llmtest.errors import ConfigurationError
from llmtest.resilience._own_provider import as_provider
from llmtest.resilience._timeout import TimeoutConfig
from llmtest.resilience.breaker._breaker_config import CircuitBreakerConfig
from llmtest.resilience.fallback._trigger import FallbackTrigger
from llmtest.resilience.limiting._limits import RateLimitConfig
from llmtest.resilience.retry._retry import RetryConfig
from llmtest.types import CompletionRequest, Provider

__all__ = ["FallbackSlot", "UnmappedModels", "is_weight"]

UnmappedModels = Literal["refuse", "pass"]
"""What becomes of a request for a model that a slot has no equivalent of."""


def is_weight(value: object) -> bool:
    """Tell whether a value can be the share of a slot: a number of 0 or more."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= 0


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
        priority: Slots with a higher number come first in the order of the chain; those without one stand as 0, in
            the order of the list.
        weight: The slot's share of the calls, compared with the other slots', where the chain's `strategy` is
            `weighted`: 0 or more. One of weight 0 is never asked, unless it is alone. None stands as 1. It is the one
            that the chain begins with: `chain.set_weights` changes it.
        unmapped_models: What becomes of a request for a model that `model_mapping` does not name and the provider
            does not have: `refuse`, before anything is sent, or `pass`, which sends the name as it is.
        rate_limit: How much it is sent a minute and at a time; by default as the chain says.

    Raises:
        ConfigurationError: The provider is none, or a setting is out of its range.
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
    priority: int | None = None
    weight: float | None = None
    unmapped_models: UnmappedModels = "refuse"
    rate_limit: RateLimitConfig | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "provider", as_provider(self.provider))
        if self.priority is not None and type(self.priority) is not int:
            raise ConfigurationError(f"`priority` of a slot is a whole number, got {self.priority!r}")
        if self.weight is not None and not is_weight(self.weight):
            raise ConfigurationError(f"`weight` of a slot is a number of 0 or more, got {self.weight!r}")
        if self.unmapped_models not in {"refuse", "pass"}:
            raise ConfigurationError(f"`unmapped_models` of a slot is `refuse` or `pass`, got {self.unmapped_models!r}")

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
