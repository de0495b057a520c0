"""One thread among those that live by one virtual clock."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from llmtest.clock._clock import to_ns
from llmtest.clock._real import REAL
from llmtest.clock._thread_state import CHILD_NS, OTHER_NS, Doing, ThreadProbe, native_id

if TYPE_CHECKING:
    from llmtest.clock._waits import Wait

_get_ident = threading.get_ident

STARVED = 20
"""How many times as long a patience lasts in real time: a busy machine gives this process so little of itself."""


class Participant:
    """One thread of the party."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.ident = 0
        self.probe: ThreadProbe | None = None
        self.wait: Wait | None = None
        self.uses_sockets = False
        self._asleep_since_ns = 0
        """Real time since when every look found it asleep in a system call; 0 where the last one did not."""

    def begin(self) -> None:
        """Note which thread this is; called in it."""
        self.ident = _get_ident()
        self.probe = ThreadProbe(self.ident, native_id())

    def is_at_rest(self, grace_ns: int) -> bool:
        """Tell whether the thread waits for a lock, or has slept in another system call for so long that it counts.

        Args:
            grace_ns: How many real nanoseconds are enough where it waits for the network by sockets that were seen.
        """
        doing, age_ns = self._look()
        if self.probe is None or age_ns == 0 or doing is Doing.WORK:
            return False
        if doing is Doing.WAIT:
            return True
        asleep_ns = REAL.monotonic_ns() - self._asleep_since_ns
        limit_ns = grace_ns if doing is Doing.NETWORK and self.uses_sockets else OTHER_NS
        if asleep_ns < limit_ns or self.probe.at_a_breakpoint():
            return False
        return asleep_ns >= CHILD_NS or not self.probe.waits_for_a_child()

    def awaits_others(self, limit_ns: int) -> bool:
        """Tell whether the thread waits for a lock, or has waited for input for so many real nanoseconds."""
        doing, age_ns = self._look()
        if doing is Doing.WAIT:
            return age_ns > 0
        return doing is Doing.NETWORK and REAL.monotonic_ns() - self._asleep_since_ns >= limit_ns

    def _look(self) -> tuple[Doing, int]:
        """Look at the thread once more.

        A server's thread polls: it wakes every half second, sees that nothing came, and sleeps again. What counts is
        that no look found it at work, not that it slept through.
        """
        if self.probe is None:
            return Doing.WORK, 0
        doing, age_ns = self.probe.look()
        if doing is Doing.WORK or doing is Doing.WAIT:
            self._asleep_since_ns = 0
        elif self._asleep_since_ns == 0:
            self._asleep_since_ns = REAL.monotonic_ns() - age_ns
        return doing, age_ns


class Patience:
    """How long to wait for threads that do not come to a rest, by what this process has used of the machine.

    Args:
        seconds: CPU seconds; in real time it is over after twenty times as long.
    """

    def __init__(self, seconds: float) -> None:
        self._cpu_ns = time.process_time_ns() + to_ns(seconds)
        now = REAL.monotonic_ns()
        self._short_ns = now + to_ns(seconds)
        self._real_ns = now + to_ns(seconds * STARVED)

    def is_over(self) -> bool:
        """Tell whether to wait no longer."""
        return time.process_time_ns() > self._cpu_ns or REAL.monotonic_ns() > self._real_ns

    def has_lasted(self) -> bool:
        """Tell whether it would be over if nobody ran meanwhile."""
        return REAL.monotonic_ns() > self._short_ns
