"""Hedging alone, around one provider."""

from __future__ import annotations

from llmtest.resilience._chain import FallbackChain
from llmtest.resilience.fallback._slot import FallbackSlot
from llmtest.resilience.hedging._hedging import HedgingConfig
from llmtest.types import Provider

__all__ = ["HedgedProvider"]


class HedgedProvider(FallbackChain):
    """A provider that is asked once more while it does not answer; it has no other policy.

    Args:
        provider: Who answers; a chain keeps its own policies, and is asked twice as a whole.
        config: When it is asked again.

    Raises:
        ConfigurationError: It is no provider, or the requests are to go to another one.

    Example:
        >>> from llmtest import HedgedProvider, HedgingConfig, OpenAIProvider
        >>> HedgedProvider(OpenAIProvider("sk-..."), HedgingConfig(delay=2.0)).name
        'openai'
    """

    def __init__(self, provider: Provider | FallbackSlot, config: HedgingConfig) -> None:
        slot = provider if isinstance(provider, FallbackSlot) else FallbackSlot(provider=provider)
        super().__init__(
            [slot], name=slot.provider.name, retry=None, circuit_breaker=None, timeouts=None, hedging=config
        )
        self.model = slot.provider.model
