"""A slot of a chain as it is configured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from llmtest.errors import ConfigurationError
from llmtest.resilience._timeout import TimeoutConfig
from llmtest.resilience.breaker._breaker import CircuitBreakerConfig
from llmtest.resilience.fallback._trigger import FallbackTrigger
from llmtest.resilience.retry._retry import RetryConfig
from llmtest.types import Provider

__all__ = ["FallbackSlot"]


MEMBERS = ("name", "model", "capabilities", "complete", "complete_async", "stream", "stream_async")
"""What a provider has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FallbackSlot:
    """One place of a chain; what is None here is taken from the chain.

    Args:
        provider: Who answers.
        trigger: Which of its failures send the call to the next slot.
        model_mapping: Model to ask this provider for, by the model that the request names; `"*"` stands for every
            other one.
        retry: How often and when it is asked again.
        timeouts: How long it may take.
        circuit_breaker: When its circuit opens.
        quota_group: Slots of one group share their provider's quota: a 429 or an empty account of one lets all of
            them cool down. An empty account does so to every slot with the same key anyway.
    """

    provider: Provider
    trigger: FallbackTrigger = field(default_factory=FallbackTrigger)
    model_mapping: Mapping[str, str] = field(default_factory=dict)
    retry: RetryConfig | None = None
    timeouts: TimeoutConfig | None = None
    circuit_breaker: CircuitBreakerConfig | None = None
    quota_group: str | None = None

    def __post_init__(self) -> None:
        # `isinstance` overlooks what a wrapper hands on by `__getattr__`, from Python 3.12 on.
        if not all(hasattr(self.provider, name) for name in MEMBERS):
            raise ConfigurationError(
                f"{self.provider!r} is no provider: a provider has `name`, `model`, `capabilities`, `complete`, "
                "`complete_async`, `stream` and `stream_async`"
            )
