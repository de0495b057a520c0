"""`llmtest_prices`, `@pytest.mark.llm_prices("prices.toml")`, `llmtest_tokenizer`: by what tests price and count."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from llmtest.errors import ConfigurationError
from llmtest.testing._plugin_options import setting

if TYPE_CHECKING:
    from llmtest.costs import Prices, Tokenizer

__all__ = ["TestPrices"]


class TestPrices:
    """The prices of the test that is running.

    Args:
        config: The run.
        own: Where an item keeps the error of ours that has stopped it.
    """

    def __init__(self, config: pytest.Config, own: pytest.StashKey[BaseException]) -> None:
        self._config = config
        self._own = own
        self._read: dict[str, Prices] = {}
        self._open = ExitStack()
        self.current: Prices | None = None
        """Those that the marker or the setting names; None where neither does."""

    def begin(self, item: pytest.Item) -> None:
        """Let the prices that a test, or the run, names be the default ones until the test is over.

        Raises:
            ConfigurationError: The marker is wrong.
            ScenarioError: The price file is.
        """
        self.end()
        try:
            given = setting(self._config, "prices", marker=_marked(item))
            self.current = self._read_once(given) if isinstance(given, str | os.PathLike) else given
            tokenizer = self._tokenizer()
        except ConfigurationError as error:
            item.stash[self._own] = error
            raise
        from llmtest.costs import use_prices, use_tokenizer

        if self.current is not None:
            self._open.enter_context(use_prices(self.current))
        if tokenizer is not None:
            self._open.enter_context(use_tokenizer(tokenizer))

    def _tokenizer(self) -> Tokenizer | None:
        """Return what the run counts tokens by; None for the estimate.

        Raises:
            ConfigurationError: There is no such counter.
        """
        name = setting(self._config, "tokenizer")
        if name is None:
            return None
        from llmtest.costs import find_tokenizer

        try:
            return find_tokenizer(name)
        except ConfigurationError as error:
            raise ConfigurationError(f"llmtest_tokenizer = {name}: {error}") from None

    def end(self) -> None:
        """Let the default prices be what they were."""
        self._open.close()
        self.current = None

    def _read_once(self, path: str | os.PathLike[str]) -> Prices:
        """Return the prices of a file, which no test shares with another."""
        from llmtest.config import load_prices

        place = str(Path(self._config.rootpath, path))
        if place not in self._read:
            self._read[place] = load_prices(place)
        return self._read[place].copy()


def _marked(item: pytest.Item) -> str | os.PathLike[str] | Prices | None:
    mark = item.get_closest_marker("llm_prices")
    if mark is None:
        return None
    from llmtest.costs import Prices

    given = [*mark.args, *mark.kwargs.values()]
    if len(given) != 1 or mark.kwargs.keys() - {"path"} or not isinstance(given[0], str | os.PathLike | Prices):
        shown = ", ".join([*map(repr, mark.args), *(f"{name}={value!r}" for name, value in mark.kwargs.items())])
        raise ConfigurationError(
            f"`llm_prices({shown})`: it takes the path of a price file, or a `Prices`.\n"
            'To fix: @pytest.mark.llm_prices("prices.toml")'
        )
    found: str | os.PathLike[str] | Prices = given[0]
    return found
