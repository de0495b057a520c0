"""A chain built step by step, in the words of the systems it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from llmtest.errors import ConfigurationError
from llmtest.resilience._budget_guard import Limits, SpendGuard
from llmtest.resilience._chain import FallbackChain
from llmtest.resilience._order import ChainOrder
from llmtest.resilience._shared_state import SharedState
from llmtest.resilience._timeout import TimeoutConfig
from llmtest.resilience.breaker._breaker_config import CircuitBreakerConfig
from llmtest.resilience.cache._cache_config import ResponseCacheConfig
from llmtest.resilience.cache._response_cache import ResponseCache
from llmtest.resilience.context._token_budget_config import TokenBudgetConfig
from llmtest.resilience.fallback._slot import FallbackSlot
from llmtest.resilience.fallback._strategies import Strategy
from llmtest.resilience.fallback._trigger import FallbackTrigger
from llmtest.resilience.health._health_config import HealthConfig
from llmtest.resilience.hedging._hedging import HedgingConfig
from llmtest.resilience.limiting._limiter import RateLimiter
from llmtest.resilience.limiting._limits import RateLimitConfig
from llmtest.resilience.pipeline._open_stream import StreamCommit
from llmtest.resilience.retry._prompt_retry import PromptRetry
from llmtest.resilience.retry._retry import RetryConfig
from llmtest.resilience.routing._adaptive import AdaptiveRoutingConfig
from llmtest.types import Provider

__all__ = ["FallbackChainBuilder"]


class FallbackChainBuilder:
    """Collects providers and policies; every method but `build` returns the builder.

    Example:
        >>> from llmtest import FallbackChain, OpenAIProvider, AnthropicProvider
        >>> chain = FallbackChain.builder().add(OpenAIProvider("a")).add_last(AnthropicProvider("b")).build()
        >>> chain.name
        'fallback-chain'
    """

    def __init__(self) -> None:
        self._slots: list[FallbackSlot] = []
        self._settings: dict[str, Any] = {}
        self._is_closed = False

    def name(self, name: str) -> Self:
        """Name the chain in errors and events."""
        return self._set("name", name)

    def with_strategy(self, strategy: Strategy) -> Self:
        """Say who is asked first: `priority`, `round_robin`, `weighted`, `least_latency`, `load_balance`, `random`."""
        return self._set("strategy", strategy)

    def with_order(self, order: ChainOrder) -> Self:
        """Say which system's order the policies have: `default`, `ironclaw`, `mofa`, `llmkit`, `caxton`, `vapora`."""
        return self._set("order", order)

    def with_stream_commit(self, commit: StreamCommit) -> Self:
        """Say until when a stream may be replaced: `first_token`, or `end`, which hands it over as a whole."""
        return self._set("stream_commit", commit)

    def with_circuit_breaker(self, config: CircuitBreakerConfig | None) -> Self:
        """Say when providers are left alone; None never leaves one alone."""
        return self._set("circuit_breaker", config)

    def with_retry(self, config: RetryConfig | None) -> Self:
        """Say how providers are asked again; None never asks again."""
        return self._set("retry", config)

    def with_prompt_retry(self, settings: PromptRetry) -> Self:
        """Say what answers have to be, and how they are asked for again when they are not."""
        return self._set("prompt_retry", settings)

    def with_timeouts(self, config: TimeoutConfig | None) -> Self:
        """Say how long attempts and calls may take; None sets no limit."""
        return self._set("timeouts", config)

    def with_budget(self, budget: SpendGuard | Limits) -> Self:
        """Let a budget refuse attempts: one that is given, or one made of limits."""
        return self._set("budget", budget)

    def with_context(self, config: TokenBudgetConfig | None) -> Self:
        """Say how prompts are made shorter that take too much of the window; None sends them as they are."""
        return self._set("context", config)

    def with_hedging(self, config: HedgingConfig | None) -> Self:
        """Say when a call that is not answered is sent once more; None never does."""
        return self._set("hedging", config)

    def with_cache(self, cache: ResponseCacheConfig | ResponseCache | None) -> Self:
        """Keep answers, so that an equal request need not be asked again; None keeps none."""
        return self._set("cache", cache)

    def with_rate_limit(self, limits: RateLimitConfig | RateLimiter | None) -> Self:
        """Say how much is sent a minute and at a time, with each key; None: any number."""
        return self._set("rate_limit", limits)

    def with_routing(self, config: AdaptiveRoutingConfig | None) -> Self:
        """Say whom each call goes to, as the providers have answered lately; None goes by the order of the list."""
        return self._set("routing", config)

    def with_health(self, config: HealthConfig | None) -> Self:
        """Say how it is found out who is ill, and asked last; None asks nobody."""
        return self._set("health", config)

    def with_shared_state(self, state: SharedState | None) -> Self:
        """Say what it shares with other chains, processes and machines; None shares nothing."""
        return self._set("shared", state)

    def _set(self, setting: str, value: object) -> Self:
        self._settings[setting] = value
        return self

    def add(self, provider: Provider, *, model_mapping: Mapping[str, str] | None = None) -> Self:
        """Add a provider that hands on what another one can mend."""
        return self.add_with_trigger(provider, FallbackTrigger.default(), model_mapping=model_mapping)

    def add_with_trigger(
        self, provider: Provider, trigger: FallbackTrigger, *, model_mapping: Mapping[str, str] | None = None
    ) -> Self:
        """Add a provider and say which of its failures go to the next one."""
        return self.add_slot(FallbackSlot(provider=provider, trigger=trigger, model_mapping=model_mapping or {}))

    def add_last(self, provider: Provider, *, model_mapping: Mapping[str, str] | None = None) -> Self:
        """Add the provider after which there is no other."""
        self.add_with_trigger(provider, FallbackTrigger.never(), model_mapping=model_mapping)
        self._is_closed = True
        return self

    def add_slot(self, slot: FallbackSlot) -> Self:
        """Add a provider with settings of its own.

        Raises:
            ConfigurationError: The last provider was added already.
        """
        if self._is_closed:
            last = self._slots[-1].provider.name
            raise ConfigurationError(
                f"`{slot.provider.name}` was added after `{last}`, which was added as the last one.\n"
                "To fix: call `add_last` at the end"
            )
        self._slots.append(slot)
        return self

    def build(self) -> FallbackChain:
        """Make the chain.

        Raises:
            ConfigurationError: No provider was added.
        """
        return FallbackChain(self._slots, **self._settings)
