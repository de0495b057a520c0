"""What is known of a provider's model without asking anybody: its window, its prices, and what it can do."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from llmtest.costs._default_prices import context_window, default_prices
from llmtest.costs._money import EXACT
from llmtest.costs._prices import Prices
from llmtest.costs._rates import PER_MTOK, Rates
from llmtest.errors import ConfigurationError
from llmtest.types import Capabilities, ModelMetadata

if TYPE_CHECKING:
    from datetime import datetime

__all__ = ["ModelFacts"]

THOUSAND = Decimal(1000)


class ModelFacts:
    """What a provider tells of its model; whoever derives from it has `name`, `model` and `capabilities`.

    Prices are those of the list that ships with this package, or the provider's own (`price`), at the time of the
    active clock. What nobody knows is an error where a number is asked for, and None in `model_metadata`, never zero.
    """

    name: str
    model: str | None
    price: Mapping[str, Any] | None = None

    if TYPE_CHECKING:

        @property
        def capabilities(self) -> Capabilities:
            """What it can do."""

    def cost_per_token(self, model: str | None = None, at: datetime | None = None) -> tuple[Decimal, Decimal]:
        """Return what one token costs in USD: of a short prompt that comes from no cache, and of an answer.

        Args:
            model: The model; default: the provider's.
            at: When; default: now.

        Raises:
            UnknownPriceError: No price is known.
            ConfigurationError: No model is named.
        """
        named = self._named_model(model)
        prices = self._prices(named)
        rates = prices.rates(self.name, named, at)
        if rates is None or rates.output is None:
            raise prices.unknown(self.name, named, at=at)
        return EXACT.multiply(rates.input, PER_MTOK), EXACT.multiply(rates.output, PER_MTOK)

    def cost_per_1k_tokens(self, model: str | None = None, at: datetime | None = None) -> Decimal:
        """Return what a thousand tokens cost in USD at most: the dearer of prompt and answer.

        Args:
            model: The model; default: the provider's.
            at: When; default: now.

        Raises:
            UnknownPriceError: No price is known.
            ConfigurationError: No model is named.
        """
        return EXACT.multiply(max(self.cost_per_token(model, at)), THOUSAND)

    def model_metadata(self, model: str | None = None) -> ModelMetadata:
        """Return what is known of a model, without asking its provider.

        Args:
            model: The model; default: the provider's.

        Raises:
            ConfigurationError: No model is named.
        """
        named = self._named_model(model)
        rates = self._prices(named).rates(self.name, named)
        prompt, answer = (None, None) if rates is None else _each(rates)
        window = self.capabilities.context_window if named == self.model else context_window(self.name, named)
        return ModelMetadata(named, self.name, window, input_cost_per_token=prompt, output_cost_per_token=answer)

    @property
    def supports_tools(self) -> bool:
        """Whether its model can call tools."""
        return self.capabilities.tools

    @property
    def supports_function_calling(self) -> bool:
        """The same as `supports_tools`, in the older word."""
        return self.capabilities.tools

    @property
    def supports_vision(self) -> bool:
        """Whether its model sees pictures."""
        return self.capabilities.vision

    @property
    def supports_streaming(self) -> bool:
        """Whether it answers piece by piece."""
        return self.capabilities.streaming

    def _named_model(self, model: str | None) -> str:
        found = model or self.model
        if found is None:
            raise ConfigurationError(
                f"`{self.name}` has no model of its own, and none was named.\n"
                'To fix: name one: `provider.model_metadata("...")`, or give the provider a `model`'
            )
        return found

    def _prices(self, model: str) -> Prices:
        if self.price is None or model != self.model:
            return default_prices()
        own = default_prices().copy()
        own.add(f"{self.name}:{model}", **self.price)
        return own


def _each(rates: Rates) -> tuple[Decimal, Decimal | None]:
    answer = None if rates.output is None else EXACT.multiply(rates.output, PER_MTOK)
    return EXACT.multiply(rates.input, PER_MTOK), answer
