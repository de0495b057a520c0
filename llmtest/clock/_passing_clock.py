"""A virtual clock on which the machine's time passes as well: waits cost nothing, and nothing takes no time at all."""

from __future__ import annotations

from datetime import datetime

from llmtest.clock._clock import VirtualClock
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
        super().__init__(epoch)

    @property
    def _ns(self) -> int:
        return REAL.monotonic_ns() - self._zero_ns

    @_ns.setter
    def _ns(self, ns: int) -> None:
        """Jump to a moment; one that is over is none to go back to."""
        self._zero_ns = min(self._zero_ns, REAL.monotonic_ns() - ns)
