"""A cache as one object: its settings, where answers are kept, what is under way, and its counts."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace

from llmtest.clock import active_clock
from llmtest.errors import ConfigurationError
from llmtest.resilience.cache._cache_config import ResponseCacheConfig
from llmtest.resilience.cache._cache_stats import CacheStats
from llmtest.resilience.cache._cache_store import CacheStore, Room, Which
from llmtest.resilience.cache._cached_answer import CachedAnswer
from llmtest.resilience.cache._flights import Flights
from llmtest.resilience.cache._memory_store import MemoryCacheStore
from llmtest.types._spelling import settings_tell_near_arguments

__all__ = ["ResponseCache", "cache_of"]

NS = 1_000_000_000
LOGGED_EVERY = 100
"""Calls between two lines of the log."""

logger = logging.getLogger("llmtest.cache")


@settings_tell_near_arguments
class ResponseCache:
    """Answers that are kept, for one chain or several.

    Chains that ask different providers, or models, do not get each other's answers, whatever they share.

    Args:
        config: Which answers are kept, for whom, and how long.
        store: Where they are kept; by default in the memory of this process.

    Raises:
        ConfigurationError: The settings, or the store, are none.

    Example:
        >>> from llmtest import ResponseCache, ResponseCacheConfig
        >>> cache = ResponseCache(ResponseCacheConfig(ttl=600))
        >>> len(cache), cache.stats().hits
        (0, 0)
    """

    def __init__(self, config: ResponseCacheConfig | None = None, *, store: CacheStore | None = None) -> None:
        if not isinstance(config, ResponseCacheConfig | None):
            raise ConfigurationError(
                f"a cache has settings, not {config!r}.\nTo fix: ResponseCache(ResponseCacheConfig(ttl=3600))"
            )
        if store is not None and not all(hasattr(store, name) for name in ("find", "put", "remove")):
            raise ConfigurationError(
                f"a cache keeps answers in a store, not in {store!r}.\n"
                'To fix: store=SqliteCacheStore("answers.db"), or leave it out to keep them in memory'
            )
        self.config = ResponseCacheConfig() if config is None else config
        self.store: CacheStore = MemoryCacheStore() if store is None else store
        self.flights = Flights()
        self.counts = CacheStats()
        self.room = Room(self.config.max_entries, self.config.surplus)

    def __len__(self) -> int:
        """Return how many answers are kept; expired ones that nobody has asked for since may be among them."""
        return self.store.size()

    def __bool__(self) -> bool:
        """Return True: an empty cache is one, too."""
        return True

    @property
    def is_empty(self) -> bool:
        """Whether no answer is kept."""
        return not self.store.size()

    @property
    def total_hits(self) -> int:
        """Calls that were answered without a provider."""
        return self.counts.hits

    def stats(self) -> CacheStats:
        """Return the counts of now."""
        return replace(self.counts)

    def clear(self) -> int:
        """Forget every answer; return how many there were."""
        return self.store.remove(Which())

    def invalidate(
        self,
        *,
        model: str | None = None,
        provider: str | None = None,
        tenant: str | None = None,
        metadata: Mapping[str, str] | None = None,
        older_than: float | None = None,
        where: Callable[[CachedAnswer], bool] | None = None,
    ) -> int:
        """Forget the answers that all arguments describe; return how many.

        Args:
            model: Those of a model, as it was asked for.
            provider: Those that a provider gave.
            tenant: Those of one tenant.
            metadata: Those whose request had these labels, among others.
            older_than: Those that were kept so many seconds ago, or earlier; 0 or more.
            where: Those of which it returns True.

        Raises:
            ConfigurationError: Nothing is said, or a time that is none.

        Example:
            >>> from llmtest import ResponseCache
            >>> ResponseCache().invalidate(metadata={"topic": "prices"}, older_than=60)
            0
        """
        if all(given is None for given in (model, provider, tenant, metadata, older_than, where)):
            raise ConfigurationError(
                "invalidate was not told which answers.\nTo fix: cache.clear() forgets all of them"
            )
        if older_than is not None and not older_than >= 0:
            raise ConfigurationError(f"older_than must be 0 or more seconds, got {older_than}")
        until = None if older_than is None else self.now_ns() - round(older_than * NS)
        labels = tuple(sorted((metadata or {}).items()))
        which = Which(model=model, provider=provider, tenant=tenant, labels=labels, until_ns=until)
        return self.store.remove(which, where)

    def now_ns(self) -> int:
        """Return the time by which the store tells the age of its answers."""
        clock = active_clock()
        return clock.time_ns() if self.store.is_shared else clock.now_ns()

    def close(self) -> None:
        """Let go of the store's files and connections; the next call opens them again."""
        self.store.close()

    def note_lookup(self) -> None:
        """Write a line into the log, from time to time."""
        counts = self.counts
        asked = counts.hits + counts.misses
        if not asked % LOGGED_EVERY:
            logger.info("%d of %d calls answered from the cache, %d answers kept", counts.hits, asked, counts.stores)


def cache_of(
    given: ResponseCache | ResponseCacheConfig | None, store: CacheStore | None = None
) -> ResponseCache | None:
    """Return the cache that an argument means; settings alone make one over a store.

    Raises:
        ConfigurationError: It is neither a cache nor settings of one.
    """
    if given is None or isinstance(given, ResponseCache):
        return given
    if isinstance(given, ResponseCacheConfig):
        return ResponseCache(given, store=store)
    raise ConfigurationError(
        f"a chain's `cache` is a `ResponseCacheConfig` or a `ResponseCache`, not {given!r}.\n"
        "To fix: cache=ResponseCacheConfig(ttl=3600)"
    )
