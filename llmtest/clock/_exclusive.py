"""One operation at a time, among threads and within one thread."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable
from types import TracebackType
from weakref import WeakSet

__all__ = ["Turn"]


class Turn:
    """A lock for short operations that the garbage collector may interrupt with another of their kind.

    The collector closes streams that nobody holds any more, in any thread and between any two instructions, so also
    in the middle of an operation on the very account in which such a stream has something to settle. To wait for the
    lock there would be to wait for ever, and to go on as if the lock were free would change numbers under the hands of
    whoever is adding to them. So an interruption sees that it is one, and leaves its operation for later.

    Example:
        >>> turn, done = Turn(), []
        >>> with turn as is_free:
        ...     done.append(is_free)
        ...     with turn as is_free:
        ...         done.append(is_free)
        ...         turn.later(lambda: done.append("later"))
        >>> done
        [True, False, 'later']
    """

    __slots__ = ("__weakref__", "_depth", "_late", "_lock")

    def __init__(self) -> None:
        self._late: deque[Callable[[], object]] = deque()
        self._begin()
        _turns.add(self)

    def _begin(self) -> None:
        self._lock = threading.RLock()
        self._depth = 0
        self._late.clear()

    def __reduce__(self) -> tuple[object, ...]:
        """Give whatever is copied a turn of its own."""
        return Turn, ()

    def __enter__(self) -> bool:
        """Wait until no other thread has the turn; return False where this thread is in the middle of its own."""
        self._lock.acquire()
        self._depth += 1
        return self._depth == 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End the turn, after what came up in the middle of it."""
        late = self._late
        if late and self._depth == 1:
            self._catch_up()
        self._depth -= 1
        if late and not self._depth:
            # Something came up between the two lines above.
            with self:
                pass
        self._lock.release()

    def later(self, operation: Callable[[], object]) -> None:
        """Do something at the end of the turn; it must not fail.

        Args:
            operation: What to do.
        """
        self._late.append(operation)

    def _catch_up(self) -> None:
        while self._late:
            self._late.popleft()()

    def _outlive_fork(self) -> None:
        """Be free again in a forked process, if it was the turn of a thread that this process does not have."""
        if self._lock.acquire(blocking=False):
            self._lock.release()
        else:
            self._begin()


_turns: WeakSet[Turn] = WeakSet()


def _outlive_fork() -> None:
    for turn in list(_turns):
        turn._outlive_fork()  # noqa: SLF001 - one file, one lock


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_outlive_fork)
