"""What a thread that waits for virtual time leaves with the others, so that they can end its wait."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from llmtest.errors import HarnessError

if TYPE_CHECKING:
    from llmtest.clock._loop import VirtualTimeLoop

_allocate_lock = threading.Lock


class Wait(Protocol):
    """What a waiting thread leaves with the party."""

    deadline_ns: int
    due: bool
    error: HarnessError | None

    @property
    def loop(self) -> VirtualTimeLoop | None:
        """The loop that waits, if it is one."""
        ...

    def block(self, seconds: float | None) -> bool:
        """Wait in real time, at most so long; tell whether the wait is over for a reason of its own."""
        ...

    def wake(self) -> None:
        """End `block` in the thread that is in it; called from another thread."""
        ...

    def busy(self) -> bool:
        """Tell whether the thread has been given something to do that it has not seen yet."""
        ...


class ThreadWait:
    """A thread that waits for time, or in a condition for whoever comes first: time or a notification.

    A condition keeps it among its waiters: `release` is what `notify` calls.
    """

    loop: VirtualTimeLoop | None = None

    def __init__(self, deadline_ns: int) -> None:
        self.deadline_ns = deadline_ns
        self.due = False
        self.error: HarnessError | None = None
        self.notified = False
        self._lock = _allocate_lock()
        self._lock.acquire()

    def block(self, seconds: float | None) -> bool:
        """Wait until woken."""
        if not self.notified:
            self._lock.acquire(timeout=-1 if seconds is None else seconds)
        return self.notified

    def wake(self) -> None:
        """End `block`."""
        with suppress(RuntimeError):
            self._lock.release()

    def release(self) -> None:
        """Take a notification."""
        self.notified = True
        self.wake()

    def busy(self) -> bool:
        """Tell whether a notification has come that the thread has not seen."""
        return self.notified


class LoopWait:
    """An idle loop among the threads of a simulation."""

    def __init__(self, loop: VirtualTimeLoop, deadline_ns: int) -> None:
        self.loop = loop
        self.deadline_ns = deadline_ns
        self.due = False
        self.error: HarnessError | None = None

    def block(self, seconds: float | None) -> bool:
        """Wait for the selector; over when a callback is ready."""
        return self.loop.take_events(seconds)

    def wake(self) -> None:
        """End `block`."""
        self.loop.wake()

    def busy(self) -> bool:
        """Tell whether the loop has something to do."""
        return self.loop.has_work
