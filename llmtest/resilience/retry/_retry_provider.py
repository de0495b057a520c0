"""Retries alone, around one provider."""

from __future__ import annotations

from llmtest.resilience._chain import FallbackChain
from llmtest.resilience.fallback._one_policy import slot_with
from llmtest.resilience.fallback._slot import FallbackSlot
from llmtest.resilience.retry._retry import RetryConfig
from llmtest.types import Provider

__all__ = ["RetryProvider"]


class RetryProvider(FallbackChain):
    """A provider that is asked again after a failure that may pass; it has no other policy.

    Args:
        provider: Who answers; a chain keeps its own policies, and is asked again as a whole.
        config: When it is asked again, and after how long; by default `RetryConfig()`.

    Raises:
        ConfigurationError: It is no provider, the settings are no `RetryConfig`, or its slot has retries already.

    Example:
        >>> from llmtest import OpenAIProvider, RetryConfig, RetryProvider
        >>> RetryProvider(OpenAIProvider("sk-..."), RetryConfig(max_attempts=5)).name
        'openai'
    """

    def __init__(self, provider: Provider | FallbackSlot, config: RetryConfig | None = None) -> None:
        slot = slot_with(provider, "retry", config, kind=RetryConfig, user="RetryProvider", fix="max_attempts=5")
        super().__init__([slot], name=slot.provider.name, retry=None, circuit_breaker=None, timeouts=None)
        self.model = slot.provider.model
