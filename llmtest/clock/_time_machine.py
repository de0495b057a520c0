# ruff: noqa: SLF001 - time-machine has no public way to what is replaced here
"""time-machine as a passenger, like freezegun: where it travels to is the epoch of our clock.

It changes the machine's own functions from below, which nobody calls in a simulation. So a journey that begins inside
one sets what wall time reads, and its traveller moves our clock; one that began before decides where our clock begins.
"""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from llmtest.clock._clock import NS_PER_SECOND
from llmtest.clock._names import party_of_caller
from llmtest.errors import SimulationStateError

if TYPE_CHECKING:
    from llmtest.clock._late_imports import LateImports
    from llmtest.clock._participants import Party
    from llmtest.clock._patches import Patches


def install_time_machine(patches: Patches, party: Party, imports: LateImports) -> None:
    """Connect time-machine to the clock of a simulation, as soon as the process has loaded it."""
    imports.when_imported("time_machine", lambda: _install(patches, party))


def _install(patches: Patches, party: Party) -> None:
    library: Any = sys.modules["time_machine"]
    if hasattr(library, "Traveller"):
        _Journeys(party, library).install(patches)
    else:
        patches.replace(library.travel, "start", _refuse(library.travel.start))


class _Journeys:
    """The journeys of one simulation.

    Args:
        party: The threads of the simulation.
        library: time-machine.
    """

    def __init__(self, party: Party, library: Any) -> None:
        self._party = party
        self._clock = party.clock
        self._first_ns = party.clock._epoch_ns
        self._kind = library.Traveller
        self._stack = library.traveller_stack
        self._travel = library.travel
        self._inside: dict[Any, int] = {}
        """Travellers that set out in the simulation, and the epoch before each."""

    def install(self, patches: Patches) -> None:
        """Take over; a journey that is under way decides where our clock begins."""
        real_start, real_stop = self._travel.start, self._travel.stop
        real_shift, real_move_to = self._kind.shift, self._kind.move_to

        def start(journey: Any) -> Any:
            return self._start(journey) if party_of_caller() is self._party else real_start(journey)

        def stop(journey: Any) -> None:
            traveller = journey.__dict__.pop("_llmtest_traveller", None)
            if traveller is not None:
                traveller._stop()
                self._go_on(journey)
                self._clock._epoch_ns = self._inside.pop(traveller)
                return
            real_stop(journey)
            if party_of_caller() is self._party and not self._stack:  # it began before the simulation
                self._go_on(journey)
                self._clock._epoch_ns = self._first_ns

        def shift(traveller: Any, delta: timedelta | float) -> None:
            if self._has(traveller):
                self._shift(delta / timedelta(seconds=1) if isinstance(delta, timedelta) else float(delta))
            else:
                real_shift(traveller, delta)

        def move_to(traveller: Any, destination: Any, tick: bool | None = None) -> None:
            real_move_to(traveller, destination, tick)
            if self._has(traveller):
                self._shift((traveller._destination_timestamp_ns - self._clock.time_ns()) / NS_PER_SECOND)
                self._arrive(traveller._destination_timestamp_ns)

        patches.replace(self._travel, "start", start)
        patches.replace(self._travel, "stop", stop)
        patches.replace(self._kind, "shift", shift)
        patches.replace(self._kind, "move_to", move_to)
        self._follow_outer()

    def _follow_outer(self) -> None:
        """Begin where a journey stands that is under way."""
        if self._stack:
            if not self._stack[-1]._tick:
                self._clock.stand_still()
            self._arrive(self._stack[-1].time_ns())

    def _go_on(self, journey: Any) -> None:
        if not journey.tick:
            self._clock.go_on()

    def _has(self, traveller: Any) -> bool:
        return party_of_caller() is self._party and (traveller in self._inside or traveller in self._stack)

    def _start(self, journey: Any) -> Any:
        traveller = self._kind(journey.destination_timestamp_ns, journey.destination_tzname, tick=False)
        traveller._start()
        self._inside[traveller] = self._clock._epoch_ns
        if not journey.tick:
            self._clock.stand_still()
        self._arrive(traveller.time_ns())
        journey._llmtest_traveller = traveller
        return traveller

    def _shift(self, seconds: float) -> None:
        """Move the clock forward, or the date alone back."""
        if seconds < 0:
            self._clock._epoch_ns += round(seconds * NS_PER_SECOND)
        else:
            self._clock.advance(seconds)

    def _arrive(self, epoch_ns: int) -> None:
        """Make wall time read so much now."""
        self._clock._epoch_ns = epoch_ns - self._clock._ns


def _refuse(real_start: Any) -> Any:
    def start(self: Any) -> Any:
        if party_of_caller() is None:
            return real_start(self)
        raise SimulationStateError(
            "time-machine before version 3 cannot travel inside a simulation: it would change clocks that nobody reads."
            '\nTo fix: install time-machine 3, or set the date by `@pytest.mark.llm_time(start="2026-03-01")`.'
        )

    return start
