"""Counts of a chain, cheap enough to be always on."""

from __future__ import annotations

from dataclasses import dataclass

from llmtest.resilience.breaker._breaker import CircuitState
from llmtest.resilience.cache._cache_stats import CacheStats

__all__ = ["ChainMetrics", "ProviderMetrics"]


@dataclass(frozen=True, slots=True)
class ProviderMetrics:
    """Counts of one slot of a chain.

    Args:
        name: Name of the provider.
        model: Its model, where it has one of its own.
        successes: Calls it answered.
        failures: Calls it failed, retries not counted.
        fallback_failures: How many of those the chain handed on.
        circuit_breaker_skips: Calls that passed it by because its circuit was open or cooling down.
        retries: Requests beyond the first of a call.
        auth_failures: Calls that its key was refused for. Falling back hides a bad key; this shows it.
        malformed: Answers that could not be read.
        circuit: State of its circuit; None where it has none.
        refused_key_skips: Calls that passed it by because its key had been refused shortly before.
        health_skips: Calls that went to others first because it was ill.
    """

    name: str
    model: str | None
    successes: int
    failures: int
    fallback_failures: int
    circuit_breaker_skips: int
    retries: int
    auth_failures: int
    malformed: int
    circuit: CircuitState | None
    refused_key_skips: int = 0
    health_skips: int = 0


@dataclass(frozen=True, slots=True)
class ChainMetrics:
    """Counts of a chain since it was made.

    Args:
        requests_total: Calls.
        failures_total: Calls that ended in an error; cancelled ones are not counted.
        fallbacks_total: Moves from one slot to the next.
        providers: Counts of each slot, in order.
        cache: Counts of its cache, which others may share; None where it has none.
        circuit: State of the circuit around it all; None where each provider has its own, or none.
    """

    requests_total: int
    failures_total: int
    fallbacks_total: int
    providers: tuple[ProviderMetrics, ...]
    cache: CacheStats | None = None
    circuit: CircuitState | None = None

    def provider(self, name: str) -> ProviderMetrics:
        """Return the counts of the first slot with a provider of this name.

        Raises:
            KeyError: No slot has that name.
        """
        for each in self.providers:
            if each.name == name:
                return each
        raise KeyError(name)
