"""Limits alone, around one provider."""

from __future__ import annotations

from llmtest.resilience._chain import FallbackChain
from llmtest.resilience.fallback._slot import FallbackSlot
from llmtest.resilience.limiting._limiter import RateLimiter
from llmtest.resilience.limiting._limits import RateLimitConfig
from llmtest.types import Provider

__all__ = ["RateLimitedProvider"]


class RateLimitedProvider(FallbackChain):
    """A provider that is sent no more than is allowed; it has no other policy.

    Args:
        provider: Who answers; of a chain, every provider by its key.
        config: What is allowed, or a `RateLimiter` that others share.

    Example:
        >>> from llmtest import OpenAIProvider, RateLimitConfig, RateLimitedProvider
        >>> RateLimitedProvider(OpenAIProvider("sk-..."), RateLimitConfig(rpm=500)).name
        'openai'
    """

    def __init__(self, provider: Provider | FallbackSlot, config: RateLimitConfig | RateLimiter) -> None:
        slot = provider if isinstance(provider, FallbackSlot) else FallbackSlot(provider=provider)
        super().__init__(
            [slot], name=slot.provider.name, retry=None, circuit_breaker=None, timeouts=None, rate_limit=config
        )
        self.model = slot.provider.model
