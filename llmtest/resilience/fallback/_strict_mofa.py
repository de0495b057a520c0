"""A chain that falls back where MoFA's code does, and nowhere else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from llmtest.errors import ConfigurationError
from llmtest.resilience._chain import FallbackChain
from llmtest.resilience.breaker._breaker_config import CircuitBreakerConfig
from llmtest.resilience.fallback._slot import FallbackSlot
from llmtest.resilience.fallback._trigger import FallbackTrigger
from llmtest.types import Provider

__all__ = ["strict_mofa"]


def strict_mofa(providers: Sequence[Provider | FallbackSlot], **policies: Any) -> FallbackChain:
    """Make a chain that falls back as MoFA's does, to find out what that means for an application.

    MoFA's conditions know no server errors: a 500 or a 503 goes to the caller, whoever stands behind, and so does every
    failure of the last provider. A refused key goes to any provider, and is tried again with every call. A full quota
    counts as a failure, and `Retry-After` is not looked at. Nothing is retried, and there are no limits of time.

    Its circuit is ours, with MoFA's numbers: one probe at a time, and the last provider's failures count as well.

    Args:
        providers: Providers, or slots; a slot that says what sends its calls on is taken at its word, but for the last.
        policies: Further arguments of `FallbackChain`, such as `budget`; `order` is MoFA's.

    Raises:
        ConfigurationError: There is no provider, or a policy that MoFA's order has no place for.

    Example:
        >>> from llmtest import OpenAIProvider, AnthropicProvider, strict_mofa
        >>> strict_mofa([OpenAIProvider("a"), AnthropicProvider("b")]).describe().order
        ('fallback', 'circuit_breaker')
    """
    if "order" in policies:
        raise ConfigurationError(
            "`strict_mofa` has MoFA's order, so that `order` would decide nothing.\nTo fix: leave it out"
        )
    slots = [each if isinstance(each, FallbackSlot) else FallbackSlot(provider=each) for each in providers]
    slots = [
        replace(slot, trigger=FallbackTrigger.mofa()) if slot.trigger.mode == "default" else slot for slot in slots
    ]
    slots[-1:] = [replace(slot, trigger=FallbackTrigger.never()) for slot in slots[-1:]]
    circuit = CircuitBreakerConfig(
        failure_threshold=3, recovery_timeout=30.0, count_rate_limits=True, max_cooldown=0.0, quota_cooldown=0.0
    )
    settings = {"circuit_breaker": circuit, "timeouts": None, "refused_key_interval": 0.0, **policies}
    return FallbackChain(slots, order="mofa", **settings)
