"""Smart routing where IronClaw has it: inside failover, around retries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from llmtest.resilience import FallbackChain, FallbackSlot, RetryConfig, SmartRoutingConfig, SmartRoutingProvider

__all__ = ["routed_slot"]


def routed_slot(
    slot: FallbackSlot, cheap: FallbackSlot, config: SmartRoutingConfig, policies: Mapping[str, Any]
) -> FallbackSlot:
    """Return the first slot of a chain, whose provider shares its prompts with the cheap one.

    Args:
        slot: The slot; who stands in for it stands in for both.
        cheap: The cheap provider.
        config: Which prompts it gets.
        policies: What the chain was given; retries and limits of time are those of each of the two.
    """
    inner: dict[str, Any] = {"retry": policies.get("retry", RetryConfig.ironclaw()), "circuit_breaker": None}
    inner |= {name: policies[name] for name in ("timeouts",) if name in policies}
    primary = FallbackChain([replace(slot, circuit_breaker=None)], name=slot.name or slot.provider.name, **inner)
    second = FallbackChain([cheap], name=cheap.name or cheap.provider.name, **inner)
    smart = SmartRoutingProvider(primary, second, config)
    return FallbackSlot(
        provider=smart,
        name=slot.name,
        trigger=slot.trigger,
        priority=slot.priority,
        circuit_breaker=slot.circuit_breaker,
    )
