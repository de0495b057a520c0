"""A virtual clock on which the machine's time passes as well: waits cost nothing, and nothing takes no time at all."""

from __future__ import annotations

from datetime import datetime

from llmtest.clock._clock import VirtualClock, to_ns
from llmtest.clock._real import REAL

__all__ = ["PassingClock"]


class PassingClock(VirtualClock):
    """Reads the time that has really passed, and what waits have jumped over.

    For code that was written for real time: what it measures is never 0, and what it waits for is there at once. Two
    runs never read the same, so no simulation lives by it.

    Args:
        epoch: Wall time at the start; an aware datetime.
    """

    def __init__(self, epoch: datetime) -> None:
        self._zero_ns = REAL.monotonic_ns()
        self._stops = 0
        self._stood_at_ns = 0
        super().__init__(epoch)

    @property
    def _ns(self) -> int:
        if self._stops:
            return self._stood_at_ns
        return REAL.monotonic_ns() - self._zero_ns

    @_ns.setter
    def _ns(self, ns: int) -> None:
        """Jump to a moment; one that is over is none to go back to."""
        if self._stops:
            step_ns = max(0, ns - self._stood_at_ns)
            self._stood_at_ns += step_ns
            self._epoch_ns -= step_ns  # a wait does not move the date of whoever has frozen it
        else:
            self._zero_ns = min(self._zero_ns, REAL.monotonic_ns() - ns)

    def advance(self, seconds: float) -> None:
        """Move time forward, and the date with it, frozen or not."""
        super().advance(seconds)
        if self._stops:
            self._epoch_ns += to_ns(seconds)

    def stand_still(self) -> None:
        """Move by waits alone until `go_on`, as whoever freezes time expects; may be nested."""
        self._stood_at_ns = self._ns
        self._stops += 1

    def go_on(self) -> None:
        """Move with the machine's clock again, from where it stood."""
        self._stops -= 1
        if not self._stops:
            self._zero_ns = REAL.monotonic_ns() - self._stood_at_ns
