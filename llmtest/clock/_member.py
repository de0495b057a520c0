"""One thread among those that live by one virtual clock."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from llmtest.clock._clock import to_ns
from llmtest.clock._real import REAL
from llmtest.clock._thread_state import ThreadProbe, native_id

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
        self.asleep_since_ns = 0
        """Real time since when every look found it asleep in a system call; 0 where the last one did not."""

    def begin(self) -> None:
        """Note which thread this is; called in it."""
        self.ident = _get_ident()
        self.probe = ThreadProbe(self.ident, native_id())


class Patience:
    """How long to wait for threads that do not come to a rest, by what this process has used of the machine.

    Args:
        seconds: CPU seconds; in real time it is over after twenty times as long.
    """

    def __init__(self, seconds: float) -> None:
        self._cpu_ns = time.process_time_ns() + to_ns(seconds)
        self._real_ns = REAL.monotonic_ns() + to_ns(seconds * STARVED)

    def is_over(self) -> bool:
        """Tell whether to wait no longer."""
        return time.process_time_ns() > self._cpu_ns or REAL.monotonic_ns() > self._real_ns
