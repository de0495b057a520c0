"""How long the next step of an HTTP answer may take, and what it is called when it takes longer."""

from __future__ import annotations

from llmtest.clock import Clock
from llmtest.errors import ProviderTimeoutError, TimeoutPhase
from llmtest.types import Timeouts

__all__ = ["Patience"]

NS = 1_000_000_000
Limit = tuple[float | None, TimeoutPhase]


class Patience:
    """The limits of one attempt as time goes by.

    Args:
        timeouts: The limits.
        clock: The time.
        streaming: Whether the answer comes in pieces, so that the first one counts and not the headers.
    """

    __slots__ = ("_clock", "_start_ns", "_streaming", "_timeouts", "has_begun")

    def __init__(self, timeouts: Timeouts, clock: Clock, *, streaming: bool) -> None:
        self._timeouts = timeouts
        self._clock = clock
        self._streaming = streaming
        self._start_ns = clock.now_ns()
        self.has_begun = False
        """Whether the first piece has come."""

    def _left(self, limit: float | None) -> float | None:
        if limit is None:
            return None
        return max(0.0, limit - (self._clock.now_ns() - self._start_ns) / NS)

    def for_connecting(self) -> float | None:
        """Return the seconds until the connection must stand."""
        return _shortest((self._timeouts.connect, "connect"), (self._left(self._timeouts.total), "total"))[0]

    def for_head(self) -> Limit:
        """Return the seconds until the headers must have come."""
        limits = self._timeouts
        first = (limits.read, "read") if limits.first_token is None else (limits.first_token, "first_token")
        return _shortest(first, (self._left(limits.total), "total"))  # type: ignore[arg-type]  # words of the literal

    def for_piece(self) -> Limit:
        """Return the seconds until the next piece must have come."""
        limits = self._timeouts
        known: list[Limit] = [(limits.read, "read"), (self._left(limits.total), "total")]
        if self._streaming and not self.has_begun:
            known.append((self._left(limits.first_token), "first_token"))
        return _shortest(*known)

    def for_body(self) -> float | None:
        """Return the silence that the client itself should allow while the body comes.

        Clients take it once for the whole body, so the limit of the first piece cannot be in it: it would cut later
        silences too. On an event loop that limit is kept by us; in blocking code it is noticed when the piece comes.
        """
        return _shortest((self._timeouts.read, "read"), (self._left(self._timeouts.total), "total"))[0]

    def overdue(self) -> ProviderTimeoutError | None:
        """Return the error of a limit that has passed meanwhile, which blocking code only learns afterwards.

        What comes at the very moment of its limit is in time.
        """
        elapsed = self._clock.now_ns() - self._start_ns
        total, first = self._timeouts.total, self._timeouts.first_token
        if total is not None and elapsed > round(total * NS):
            return self.error("total")
        if self._streaming and not self.has_begun and first is not None and elapsed > round(first * NS):
            return self.error("first_token")
        return None

    def error(self, phase: TimeoutPhase) -> ProviderTimeoutError:
        """Make the error of a limit that has passed."""
        limits = self._timeouts
        limit = {"connect": limits.connect, "first_token": limits.first_token, "total": limits.total}.get(
            phase, limits.read
        )
        words = {
            "connect": "the connection did not stand",
            "first_token": "the answer did not begin",
            "total": "the answer was not complete",
        }.get(phase, "nothing more came")
        error = ProviderTimeoutError(f"{words} within {limit:g} s" if limit is not None else words)
        error.phase = phase
        error.timeout = limit
        return error


def _shortest(*limits: Limit) -> Limit:
    known = [limit for limit in limits if limit[0] is not None]
    return min(known, key=lambda limit: limit[0] or 0.0) if known else limits[0]
