"""Prices that providers were given (`price=`), in the list that a chain and its budget go by."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from llmtest.costs import Budget, Prices, default_prices
from llmtest.errors import ConfigurationError

__all__ = ["with_own_prices"]


def with_own_prices(places: Iterable[Any], prices: Prices | None, budget: object) -> Prices | None:
    """Return the list of a chain with the prices that its providers were given; the list as it is where none was.

    A budget that was made elsewhere learns them too, for it sets aside what a call may cost.

    Args:
        places: The slots, chains inside them included.
        prices: The list of the chain; None where it has none of its own.
        budget: What may refuse to spend, if anything.

    Raises:
        ConfigurationError: A price is malformed, or of no model.
    """
    found = list(_prices_of(places))
    if not found:
        return prices
    own = (prices or getattr(budget, "prices", None) or default_prices()).copy()
    _add(own, found)
    if isinstance(budget, Budget):
        budget.prices = budget.prices.copy()
        _add(budget.prices, found)
    return own


def _prices_of(places: Iterable[Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for place in places:
        provider = place.provider
        yield from _prices_of(getattr(provider, "places", ()))
        price = getattr(provider, "price", None)
        if not isinstance(price, Mapping):
            continue
        if provider.model is None:
            raise ConfigurationError(
                f"`{provider.name}` has a `price` and no model that it is the price of.\nTo fix: give it a `model`"
            )
        yield f"{provider.name}:{provider.model}", price


def _add(prices: Prices, found: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
    for model, price in found:
        try:
            prices.add(model, **price)
        except TypeError as error:
            wrong = str(error).partition(") ")[2] or error
            raise ConfigurationError(f"the price of `{model}` has not the arguments of `Prices.add`: {wrong}") from None
