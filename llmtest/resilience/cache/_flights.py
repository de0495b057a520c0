"""One request for many equal calls: who asks, who waits, and who goes on when nothing comes of it."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Literal
from weakref import WeakSet

from llmtest.clock import Signal, Turn, running_task

if TYPE_CHECKING:
    from llmtest.resilience.cache._cached_answer import CachedAnswer

__all__ = ["FlightKey", "Flights", "Seat"]

FlightKey = tuple[str, bool]
"""What equal calls have in common, and whether they want a stream."""
Role = Literal["leads", "waits", "answered", "alone"]
Owner = tuple[int, object]
"""A thread, and a task of its loop, which go on only when they are not made to wait."""


class Seat:
    """One call among equal ones.

    Args:
        flight: The others; None where it has nothing to do with any.
        role: `leads`: it asks for all; `waits`; `answered`: it has got the answer of another; `alone`: it asks for
            itself.
        owner: What is under way there.
    """

    __slots__ = ("answer", "flight", "owner", "role", "signal")

    def __init__(self, flight: Flight | None, role: Role, owner: Owner) -> None:
        self.flight = flight
        self.role: Role = role
        self.owner = owner
        self.answer: CachedAnswer | None = None
        self.signal: Signal | None = Signal() if role == "waits" else None


class Flight:
    """Equal calls under way."""

    __slots__ = ("key", "leaders", "next_leaders", "waiting")

    def __init__(self, key: FlightKey) -> None:
        self.key = key
        self.leaders: list[Seat] = []
        self.waiting: deque[Seat] = deque()
        self.next_leaders = 1
        """How many ask next if the one who asks now fails."""


class Flights:
    """All equal calls under way, of threads and tasks alike.

    The first call leads, and the others wait for its answer. If it is cancelled or left, one of them takes its place;
    if it fails, one does, and after each further failure twice as many, so that they neither all ask a provider that is
    down at once, nor one after the other without end. An answer that may not be kept is nobody else's: then all ask for
    themselves.

    Nobody waits for what cannot go on meanwhile: a blocking call for one of its own thread, a task for itself.
    """

    __slots__ = ("__weakref__", "_flights", "_turn", "landings")

    def __init__(self) -> None:
        self._turn = Turn()
        self._flights: dict[FlightKey, Flight] = {}
        self.landings = 0
        """How many have ended with an answer; whoever has looked for one before looks again."""
        _all_flights.add(self)

    def __len__(self) -> int:
        """Return how many different requests are under way."""
        return len(self._flights)

    def take_seat(self, key: FlightKey, *, is_blocking: bool) -> Seat:
        """Join the calls that are equal to this one, or be the first.

        Args:
            key: What they have in common.
            is_blocking: Whether waiting blocks the thread.
        """
        owner = threading.get_ident(), running_task()
        with self._turn:
            flight = self._flights.get(key)
            if flight is None:
                flight = self._flights[key] = Flight(key)
            elif any(_is_held_up(leader.owner, owner, is_blocking=is_blocking) for leader in flight.leaders):
                return Seat(None, "alone", owner)
            else:
                seat = Seat(flight, "waits", owner)
                flight.waiting.append(seat)
                return seat
            seat = Seat(flight, "leads", owner)
            flight.leaders.append(seat)
            return seat

    def landed(self, seat: Seat, answer: CachedAnswer | None) -> None:
        """Say that a leading call was answered; None: with what is nobody else's."""
        flight = seat.flight
        if flight is None or seat.role != "leads":
            return
        with self._turn:
            self.landings += 1
            woken = list(flight.waiting)
            flight.waiting.clear()
            flight.leaders.remove(seat)
            if self._flights.get(flight.key) is flight:
                del self._flights[flight.key]
            for other in woken:
                other.role, other.answer = ("alone", None) if answer is None else ("answered", answer)
        _wake(woken)

    def left(self, seat: Seat, *, has_failed: bool) -> None:
        """Say that a call, leading or waiting, has ended without an answer; harmless when repeated.

        Args:
            seat: The call.
            has_failed: Whether it failed, and was not cancelled or given up.
        """
        if seat.flight is None:
            return
        with self._turn as is_free:
            if not is_free:  # The garbage collector has closed a stream in the middle of one of these methods.
                self._turn.later(partial(self._leave_late, seat, has_failed))
                return
            woken = self._leave(seat, has_failed)
        _wake(woken)

    def _leave_late(self, seat: Seat, has_failed: bool) -> None:
        _wake(self._leave(seat, has_failed))

    def _leave(self, seat: Seat, has_failed: bool) -> Sequence[Seat]:
        flight = seat.flight
        assert flight is not None, "only a call among others leaves them"
        if seat in flight.waiting:
            flight.waiting.remove(seat)
            seat.role = "alone"
            return ()
        if seat not in flight.leaders:
            return ()
        flight.leaders.remove(seat)
        if flight.leaders:
            return ()
        count = flight.next_leaders if has_failed else 1
        if has_failed:
            flight.next_leaders *= 2
        promoted = [flight.waiting.popleft() for _ in range(min(count, len(flight.waiting)))]
        for other in promoted:
            other.role = "leads"
            flight.leaders.append(other)
        if not promoted and self._flights.get(flight.key) is flight:
            del self._flights[flight.key]
        return promoted

    def outlive_fork(self) -> None:
        """Forget the calls of threads that this process does not have."""
        self._flights = {}


def _is_held_up(leader: Owner, other: Owner, *, is_blocking: bool) -> bool:
    """Tell whether a leader could not go on while the other one waits for it."""
    same_thread = leader[0] == other[0]
    return same_thread and (is_blocking or (leader[1] is not None and leader[1] is other[1]))


def _wake(seats: Sequence[Seat]) -> None:
    for seat in seats:
        if seat.signal is not None:
            seat.signal.set()


_all_flights: WeakSet[Flights] = WeakSet()


def _outlive_fork() -> None:
    for flights in list(_all_flights):
        flights.outlive_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_outlive_fork)
