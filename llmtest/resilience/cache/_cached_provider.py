"""The cache alone, around any provider."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmtest.resilience._chain import FallbackChain
from llmtest.resilience._own_provider import as_provider
from llmtest.resilience.cache._cache_config import ResponseCacheConfig

if TYPE_CHECKING:
    from llmtest.resilience.cache._response_cache import ResponseCache
    from llmtest.types import Provider

__all__ = ["CachedProvider"]


class CachedProvider(FallbackChain):
    """A provider whose answers are kept: a chain of one, with the cache and no other policy.

    It is a chain, and no thin wrapper, for what a chain around it has to know: that an answer from the cache is no
    attempt, costs nothing, and is neither charged to a budget nor counted by a circuit. So policies around it that are
    meant for it as a whole are said in its slot: `FallbackSlot(provider=cached, retry=RetryConfig())`; those of what it
    asks are put inside it.

    Args:
        provider: Who answers.
        config: Which answers are kept, or a cache that others share; by default `ResponseCacheConfig()`.
        name: What errors and events call it; by default as the provider.

    Raises:
        ConfigurationError: It is no provider, or no cache.

    Example:
        >>> from llmtest import CachedProvider, OpenAIProvider, ResponseCacheConfig
        >>> cached = CachedProvider(OpenAIProvider("k", model="gpt-4o"), ResponseCacheConfig(ttl=600))
        >>> cached.name, cached.model
        ('openai', 'gpt-4o')
    """

    def __init__(
        self, provider: Provider, config: ResponseCacheConfig | ResponseCache | None = None, *, name: str | None = None
    ) -> None:
        whole = as_provider(provider)
        super().__init__(
            [whole],
            name=name or whole.name,
            retry=None,
            circuit_breaker=None,
            timeouts=None,
            cache=ResponseCacheConfig() if config is None else config,
        )
        self.model = whole.model
