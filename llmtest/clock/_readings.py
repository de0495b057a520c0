"""Readings of a clock at one instant: a thread that waits by them alone would wait for ever."""

from __future__ import annotations

from collections.abc import Callable

from llmtest.clock._clock import NS_PER_SECOND, VirtualClock
from llmtest.errors import HarnessError, VirtualTimeLivelockError

READS_MAX = 2_000_000
"""Readings of the clock at one instant before they are called a livelock."""


class Readings:
    """Counts how often the threads of a simulation ask what time it is.

    Args:
        clock: The clock.
        recorded: Takes note of an error before it is raised, and returns it.
    """

    def __init__(self, clock: VirtualClock, recorded: Callable[[HarnessError], HarnessError]) -> None:
        self._clock = clock
        self._recorded = recorded
        self.number = 0
        """Another number after every reading."""
        self.now_and_then: Callable[[], object] = int
        """Called at every eighth reading: whoever reads the clock works."""
        self._read_ns = -1

    def count(self) -> None:
        """Notice a thread that waits by reading the clock over and over, which virtual time cannot end."""
        self.number += 1
        if self.number & 7:
            return
        self.now_and_then()
        if self.number < READS_MAX:
            return
        self.number = 0
        ns = self._clock.now_ns()
        if ns == self._read_ns:
            raise self._recorded(
                VirtualTimeLivelockError(
                    f"the clock was read {READS_MAX:,} times and more at one instant, t={ns / NS_PER_SECOND:g} s.\n"
                    "This usually means a loop waits by reading the clock: `while time.monotonic() < deadline: ...`.\n"
                    "To fix: sleep in the loop, so that virtual time can move."
                )
            )
        self._read_ns = ns
