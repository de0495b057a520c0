"""The plugin's line at the end of a run."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from llmtest.testing._failure import dollars
from llmtest.testing._totals import Totals

__all__ = ["Summary"]


class Summary:
    """Counts of every test that used a simulation."""

    def __init__(self) -> None:
        self.totals = Totals()
        self._costs: list[tuple[str, Decimal]] = []

    def add(self, nodeid: str, totals: Totals) -> None:
        """Add the counts of one test."""
        totals.unmet = tuple(f"{nodeid}: {line}" for line in totals.unmet)
        self.totals.add(totals)
        if totals.cost_usd:
            self._costs.append((nodeid, totals.cost_usd))

    def as_data(self) -> list[Any]:
        """Return everything as what pytest-xdist can carry."""
        return [self.totals.as_data(), [[nodeid, str(cost)] for nodeid, cost in self._costs]]

    def add_data(self, data: list[Any]) -> None:
        """Add what a worker's `as_data` made."""
        totals, costs = data
        self.totals.add(Totals.from_data(totals))
        self._costs += [(nodeid, Decimal(cost)) for nodeid, cost in costs]

    def lines(self, *, dearest: int = 0) -> list[str]:
        """Return the summary: one line, preceded by conditions that no request met and by the dearest tests, as asked.

        Nothing for nothing.
        """
        totals = self.totals
        if not totals.simulations and not totals.cassettes:
            return []
        ranked = sorted(self._costs, key=lambda entry: (-entry[1], entry[0]))[:dearest]
        lines = [f"llmtest: {line}" for line in totals.unmet]
        lines += [f"llmtest: {dollars(cost)}  {nodeid}" for nodeid, cost in ranked]
        spend = f"{dollars(totals.cost_usd)} simulated"
        if totals.unpriced:
            spend += f" and {_count(totals.unpriced, 'answer')} of unknown price"
        parts = [
            _count(totals.calls, "call"),
            _count(totals.fallbacks, "fallback"),
            spend,
            f"{_count(totals.cassettes, 'cassette')} used",
            _count(totals.live, "live request"),
        ]
        if totals.off_clock:
            parts.append(f"{_count(totals.off_clock, 'simulation')} with waits that are not virtual")
        return [*lines, f"llmtest: {', '.join(parts)}"]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
