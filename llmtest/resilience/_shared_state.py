"""What a chain shares with others: one store for each policy that remembers something."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmtest.errors import ConfigurationError

if TYPE_CHECKING:
    from llmtest.resilience.breaker._breaker_store import BreakerStore
    from llmtest.resilience.cache._cache_store import CacheStore
    from llmtest.resilience.fallback._key_store import RefusedKeyStore
    from llmtest.resilience.health._health_store import HealthStore
    from llmtest.resilience.limiting._store import LimiterStore

__all__ = ["SharedState", "shared_of"]


class SharedState:
    """One store for each policy that remembers something; None leaves a policy to the chain alone.

    A policy that was given a store, a limiter or a cache of its own keeps that. In Redis it is a `RedisState`.

    Args:
        breakers: What keeps the circuits.
        limits: What counts the requests of each key.
        refused_keys: What remembers the keys that were refused.
        answers: What keeps answers, where the chain has a cache.
        health: What keeps who is ill, where the chain has a `health`.

    Example:
        >>> from llmtest import FallbackChain, OpenAIProvider, SharedState
        >>> from llmtest.resilience import MemoryBreakerStore
        >>> shared = SharedState(breakers=MemoryBreakerStore())
        >>> chains = [FallbackChain([OpenAIProvider("sk-...")], shared=shared) for _ in range(2)]
        >>> chains[0].breaker("openai").isolate()
        >>> chains[1].breaker("openai").state
        'isolated'
    """

    def __init__(
        self,
        *,
        breakers: BreakerStore | None = None,
        limits: LimiterStore | None = None,
        refused_keys: RefusedKeyStore | None = None,
        answers: CacheStore | None = None,
        health: HealthStore | None = None,
    ) -> None:
        self.breakers = breakers
        self.limits = limits
        self.refused_keys = refused_keys
        self.answers = answers
        self.health = health


NOTHING = SharedState()


def shared_of(given: SharedState | None, chain: str) -> SharedState:
    """Return what a chain shares; None shares nothing.

    Raises:
        ConfigurationError: It is none.
    """
    if given is None:
        return NOTHING
    if not isinstance(given, SharedState):
        raise ConfigurationError(
            f"chain `{chain}`: `shared` is a `SharedState`, such as a `RedisState`, not {type(given).__name__}.\n"
            'To fix: shared=RedisState("redis://localhost:6379/0")'
        )
    return given
