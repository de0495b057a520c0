"""One thread among those that live by one virtual clock."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from llmtest.clock._thread_state import ThreadProbe, native_id

if TYPE_CHECKING:
    from llmtest.clock._waits import Wait

_get_ident = threading.get_ident


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
