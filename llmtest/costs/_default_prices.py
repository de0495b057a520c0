"""The prices that are used where none are given: the published ones, those of a file, or those of a test."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from llmtest.costs._from_above import from_above
from llmtest.costs._prices import Prices
from llmtest.errors import ConfigurationError

__all__ = ["VARIABLE", "context_window", "default_prices", "use_prices"]

VARIABLE = "LLMTEST_PRICES"
"""The variable of the environment that names a price file."""

_default: Prices | None = None


def default_prices() -> Prices:
    """Return the prices that are used where none are given; adding to them adds for the whole process.

    They are the published ones, with those of the file on top that the variable `LLMTEST_PRICES` names when they are
    asked for first.

    Raises:
        ScenarioError: The file is wrong; the text has the line.
    """
    global _default  # noqa: PLW0603 - one list for the process is what it is
    if _default is None:
        path = os.environ.get(VARIABLE)
        _default = from_above("load_prices")(path) if path else Prices()
    return _default


@contextmanager
def use_prices(prices: Prices) -> Iterator[Prices]:
    """Let other prices be the ones that are used where none are given, inside the block, in the whole process.

    Args:
        prices: What models cost.

    Raises:
        ConfigurationError: They are no `Prices`.

    Example:
        >>> with use_prices(simulated_prices("vapora")) as prices:
        ...     default_prices() is prices
        True
    """
    global _default  # noqa: PLW0603 - one list for the process is what it is
    if not isinstance(prices, Prices):
        raise ConfigurationError(
            f"prices are a `Prices`, such as `load_prices` reads from a file, not {prices!r}.\n"
            'To fix: use_prices(simulated_prices("vapora"))'
        )
    before, _default = _default, prices
    try:
        yield prices
    finally:
        _default = before


def context_window(provider: str, model: str | None) -> int | None:
    """Return how many tokens prompt and answer of a model may hold together; None = unknown."""
    return default_prices().context_window(provider, model)
