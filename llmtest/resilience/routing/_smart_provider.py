"""A cheap provider and a primary one as one provider."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from llmtest.errors import ConfigurationError
from llmtest.resilience._chain import FallbackChain
from llmtest.resilience.fallback._slot import FallbackSlot
from llmtest.resilience.pipeline._pipeline import Pipeline
from llmtest.resilience.routing._score import Explanation, explain
from llmtest.resilience.routing._smart_config import SmartRoutingConfig
from llmtest.resilience.routing._smart_layer import CHEAP, PRIMARY, SmartRouting, SmartRoutingStats
from llmtest.types import CompletionRequest, Provider

__all__ = ["SmartRoutingProvider"]

OWN = ("strategy", "routing", "on_all_open", "advance_on_any_fallback_error")


class SmartRoutingProvider(FallbackChain):
    """Asks a cheap provider for simple prompts and a primary one for others, and cascades where the cheap one fails.

    Usage and price of an answer are those of the provider that gave it; `attempts`, the budget and the ledger have
    every request that was billed, the one after a cascade with `purpose="cascade"`.

    Args:
        primary: Who answers what is not simple, calls with tools, and requests that name a model.
        cheap: Who answers simple prompts; both may be chains.
        config: What is simple, and when the cheap one does not do.
        name: What errors and events call it.
        policies: Further arguments of `FallbackChain`, such as `budget`, `retry` and `timeouts`; by default there is no
            retry, circuit breaker or limit of time, for these are the providers' own.

    Raises:
        ConfigurationError: The cheap provider costs more than the primary one, or an argument contradicts routing.

    Example:
        >>> from llmtest import OpenAIProvider, SmartRoutingProvider
        >>> smart = SmartRoutingProvider(
        ...     primary=OpenAIProvider("sk-...", model="gpt-4o"), cheap=OpenAIProvider("sk-...", model="gpt-4o-mini")
        ... )
        >>> smart.explain("Capital of France?").tier
        <Tier.FLASH: 'flash'>
    """

    def __init__(
        self,
        primary: Provider | FallbackSlot,
        cheap: Provider | FallbackSlot,
        config: SmartRoutingConfig | None = None,
        *,
        name: str = "smart-routing",
        **policies: Any,
    ) -> None:
        if config is None:
            config = SmartRoutingConfig()
        elif not isinstance(config, SmartRoutingConfig):
            raise ConfigurationError(
                f"`{name}` takes a `SmartRoutingConfig`, not {config!r}.\n"
                "To fix: SmartRoutingProvider(primary, cheap, SmartRoutingConfig(complexity_threshold=0.6))"
            )
        for argument in OWN:
            if argument in policies:
                raise ConfigurationError(
                    f"`{name}` routes by itself, so `{argument}` would decide nothing.\nTo fix: leave it out"
                )
        self.config = config
        self._routing = SmartRouting(name, config)
        pipeline = policies.pop("pipeline", None) or Pipeline()
        layers = (self._routing, *pipeline.call_layers)
        pipeline = replace(pipeline, call_layers=layers, selection=self._routing)
        settings = {"retry": None, "circuit_breaker": None, "timeouts": None, **policies}
        super().__init__([primary, cheap], name=name, pipeline=pipeline, **settings)
        self._routing.places = self.places
        self._refuse_swapped()

    @property
    def primary(self) -> Provider:
        """Who answers what is not simple."""
        return self.places[PRIMARY].provider

    @property
    def cheap(self) -> Provider:
        """Who answers simple prompts."""
        return self.places[CHEAP].provider

    def explain(self, prompt: str | CompletionRequest) -> Explanation:
        """Return the score of a prompt, its tier, and the parts that it is made of.

        Args:
            prompt: A text, or a request.
        """
        return explain(prompt)

    def stats(self) -> SmartRoutingStats:
        """Return how many calls went where since this was made."""
        return self._routing.stats()

    def _refuse_swapped(self) -> None:
        """Refuse a cheap provider that is known to be the dearer one: the two were given in the wrong order."""
        costs = []
        for place in (self.places[PRIMARY], self.places[CHEAP]):
            rates = None if place.is_chain else self.prices.rates(place.name, place.provider.model)
            costs.append(None if rates is None else rates.output)
        primary, cheap = costs
        if primary is not None and cheap is not None and cheap > primary:
            one, other = self.places[CHEAP].provider, self.places[PRIMARY].provider
            raise ConfigurationError(
                f"`{self.name}`: the cheap provider `{one.name}/{one.model}` costs more than the primary one "
                f"`{other.name}/{other.model}`.\nTo fix: name them: SmartRoutingProvider(primary=..., cheap=...)"
            )
