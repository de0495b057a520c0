"""What simulations of one test came to: counted at their end, collected by the pytest plugin, summed over workers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from llmtest.events import Event, LiveRequestPassed, RealTimePassed
from llmtest.testing._history import attempts_of, count_calls

if TYPE_CHECKING:
    from llmtest.costs import CostLedger

__all__ = ["Totals", "drain", "totals_of"]

MOST_UNMET = 20
"""Conditions of one test or one run that are kept for the end of the run."""

finished: list[Totals] = []
"""Totals of simulations that have ended since the last `drain`, whoever started them."""


@dataclass(slots=True)
class Totals:
    """Counts of one or more simulations; plain numbers, so that a worker of pytest-xdist can send them."""

    simulations: int = 0
    calls: int = 0
    fallbacks: int = 0
    cost_usd: Decimal = Decimal(0)
    unpriced: int = 0
    cassettes: int = 0
    live: int = 0
    unmet: tuple[str, ...] = ()
    """Conditions that no request met, in words, the first few."""
    off_clock: int = 0
    """Simulations in which somebody went by a clock that is not virtual."""

    def add(self, other: Totals) -> None:
        """Add another count to this one."""
        self.simulations += other.simulations
        self.calls += other.calls
        self.fallbacks += other.fallbacks
        self.cost_usd += other.cost_usd
        self.unpriced += other.unpriced
        self.cassettes += other.cassettes
        self.live += other.live
        self.unmet = (*self.unmet, *other.unmet)[:MOST_UNMET]
        self.off_clock += other.off_clock

    def as_data(self) -> list[Any]:
        """Return the counts as what pytest-xdist can carry."""
        return [
            self.simulations,
            self.calls,
            self.fallbacks,
            str(self.cost_usd),
            self.unpriced,
            self.cassettes,
            self.live,
            list(self.unmet),
            self.off_clock,
        ]

    @classmethod
    def from_data(cls, data: list[Any]) -> Totals:
        """Return the counts that `as_data` made."""
        simulations, calls, fallbacks, cost, unpriced, cassettes, live, unmet, off_clock = data
        return cls(simulations, calls, fallbacks, Decimal(cost), unpriced, cassettes, live, tuple(unmet), off_clock)


def totals_of(events: Iterable[Event], costs: CostLedger) -> Totals:
    """Count one simulation."""
    events = list(events)
    calls, fallbacks = count_calls(attempts_of(events))
    spend = costs.summary
    live = sum(isinstance(event, LiveRequestPassed) for event in events)
    off_clock = any(isinstance(event, RealTimePassed) for event in events)
    return Totals(1, calls, fallbacks, spend.known_usd, spend.unknown, 0, live, off_clock=int(off_clock))


def drain() -> Totals:
    """Return the sum of what has ended since the last call."""
    total = Totals()
    while finished:
        total.add(finished.pop())
    return total
