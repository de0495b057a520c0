"""How long the next step of an answer may take, and what it is called when it takes longer.

One set of limits for everybody who waits for a provider: over HTTP, and directly for a simulated one. Who waits, and
how a wait is cut short, is the business of the room that waits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from llmtest.clock._clock import Clock
from llmtest.errors import ProviderTimeoutError, TimeoutPhase

if TYPE_CHECKING:
    from llmtest.types import Timeouts

__all__ = ["TimeLimit", "TimeLimits"]

NS = 1_000_000_000

WORDS: dict[TimeoutPhase, str] = {
    "connect": "the connection did not stand",
    "first_token": "the answer did not begin",
    "total": "the answer was not complete",
}
SILENCE = "nothing more came"
"""What is said of every other limit."""


class TimeLimit(NamedTuple):
    """The limit that is reached first: what is left until then, and its name."""

    ns: int | None
    """Nanoseconds; zero or less where it has passed; None = no limit."""
    phase: TimeoutPhase

    @property
    def seconds(self) -> float | None:
        """The same in seconds, never below zero."""
        return None if self.ns is None else max(self.ns, 0) / NS


class TimeLimits:
    """The limits of one attempt as time goes by.

    Args:
        timeouts: The limits, in seconds.
        clock: The time.
        start_ns: When the attempt began; None = now.
        streaming: Whether the answer comes in pieces, so that its first piece counts and not its headers alone.
    """

    __slots__ = ("_clock", "_timeouts", "has_begun", "start_ns", "streaming")

    def __init__(
        self, timeouts: Timeouts, clock: Clock, *, start_ns: int | None = None, streaming: bool = True
    ) -> None:
        self._timeouts = timeouts
        self._clock = clock
        self.start_ns = clock.now_ns() if start_ns is None else start_ns
        self.streaming = streaming
        self.has_begun = False
        """Whether the first piece has come."""

    def connecting(self) -> TimeLimit:
        """Return what is left until the connection must stand."""
        return self._shortest(TimeLimit(_ns(self._timeouts.connect), "connect"))

    def head(self) -> TimeLimit:
        """Return what is left until the headers must have come."""
        limits = self._timeouts
        if limits.first_token is None:
            return self._shortest(TimeLimit(_ns(limits.read), "read"))
        return self._shortest(TimeLimit(_ns(limits.first_token), "first_token"))

    def piece(self) -> TimeLimit:
        """Return what is left until the next piece must have come; the first one of a stream has a limit of its own."""
        nearest = self.silence()
        if self.streaming and not self.has_begun:
            return _nearer(nearest, TimeLimit(self._left(self._timeouts.first_token), "first_token"))
        return nearest

    def silence(self) -> TimeLimit:
        """Return how long nothing may come, whichever piece is awaited."""
        return self._shortest(TimeLimit(_ns(self._timeouts.read), "read"))

    def overdue(self) -> TimeoutPhase | None:
        """Return the limit that has passed meanwhile, which whoever cannot be interrupted only learns afterwards.

        What comes at the very moment of its limit is in time.
        """
        total = self._left(self._timeouts.total)
        if total is not None and total < 0:
            return "total"
        if self.streaming and not self.has_begun:
            first = self._left(self._timeouts.first_token)
            if first is not None and first < 0:
                return "first_token"
        return None

    def error(self, phase: TimeoutPhase) -> ProviderTimeoutError:
        """Make the error of a limit that has passed."""
        limits = self._timeouts
        limit = {"connect": limits.connect, "first_token": limits.first_token, "total": limits.total}.get(
            phase, limits.read
        )
        words = WORDS.get(phase, SILENCE)
        error = ProviderTimeoutError(f"{words} within {limit:g} s" if limit is not None else words)
        error.phase = phase
        error.timeout = limit
        return error

    def _left(self, limit: float | None) -> int | None:
        """Return what is left of a limit that has run since the attempt began."""
        return None if limit is None else round(limit * NS) - (self._clock.now_ns() - self.start_ns)

    def _shortest(self, limit: TimeLimit) -> TimeLimit:
        return _nearer(limit, TimeLimit(self._left(self._timeouts.total), "total"))


def _ns(limit: float | None) -> int | None:
    return None if limit is None else round(limit * NS)


def _nearer(first: TimeLimit, second: TimeLimit) -> TimeLimit:
    """Return the limit that is reached first; of two at once the one that was named first."""
    if second.ns is None:
        return first
    return second if first.ns is None or second.ns < first.ns else first
