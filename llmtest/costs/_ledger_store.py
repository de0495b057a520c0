"""Where an account keeps its entries: the protocol of a store, and the one in memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from llmtest.costs._ledger_entry import Row

__all__ = ["START", "LedgerStore", "Mark", "MemoryLedgerStore"]


class Mark(NamedTuple):
    """A place in a store, behind some of its entries.

    Args:
        life: Which account it is of; a store that is cleared begins another one.
        place: How far it has been read; 0 is the beginning.
    """

    life: int
    place: int


START = Mark(0, 0)


class LedgerStore(Protocol):
    """Entries that several accounts, threads or processes share. Nothing is ever changed in it, only added."""

    def append(self, rows: Sequence[Row]) -> None:
        """Keep entries, all of them or none. When this returns they are kept, whatever becomes of this process.

        Raises:
            ConfigurationError: They cannot be kept, and none of them is.
        """

    def read(self, after: Mark, most: int) -> tuple[list[Row], Mark]:
        """Return entries in the order in which they were kept, and the mark behind them.

        Args:
            after: Where to go on. Where the store has been cleared since, this begins anew, and the mark that is
                returned is of another life.
            most: How many at most; fewer are not the end, none are.

        Raises:
            ConfigurationError: They cannot be read.
        """

    def clear(self) -> None:
        """Forget everything.

        Raises:
            ConfigurationError: It cannot be forgotten, and nothing is.
        """


class MemoryLedgerStore:
    """Entries in this process, which end with it. Several accounts may share them.

    Example:
        >>> from llmtest.costs import CostLedger
        >>> store = MemoryLedgerStore()
        >>> red, blue = CostLedger(store=store, test="red"), CostLedger(store=store, test="blue")
        >>> red.record("openai", "gpt-4o", Usage(1000, 100), Decimal("0.0035"))
        >>> blue.by("test")[("red",)].calls
        1
    """

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self._life = 0

    def append(self, rows: Sequence[Row]) -> None:
        """Keep entries."""
        self.rows += rows

    def read(self, after: Mark, most: int) -> tuple[list[Row], Mark]:
        """Return entries behind a mark, and the mark behind them."""
        place = after.place if after.life == self._life else 0
        rows = self.rows[place : place + most]
        return rows, Mark(self._life, place + len(rows))

    def clear(self) -> None:
        """Forget everything."""
        self._life += 1
        self.rows.clear()
