"""Locks whose waits with a limit end by the virtual clock, and the same for the end of a thread.

The machine's own locks cannot be changed, so participants are given these where they ask for a new one. The standard
library and this package get the machine's own: they never wait for a lock with a limit, and theirs are faster.
"""

from __future__ import annotations

import queue
import sys
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from llmtest.clock._clock import to_ns
from llmtest.clock._names import also_by_name, called_by_a_real_caller, party_of_caller
from llmtest.clock._waits import ThreadWait

if TYPE_CHECKING:
    from types import FrameType, TracebackType

    from llmtest.clock._patches import Patches

_real_lock = threading.Lock
_real_rlock = threading.RLock
_real_queue = queue.SimpleQueue
_real_join = threading.Thread.join
_Lock = type(_real_lock())
_RLock: type = type(_real_rlock())
_OWN = frozenset({*sys.stdlib_module_names, "llmtest", "trio"}) - {"__main__"}
"""Who gets the machine's own; trio's workers idle by a limit that is no wait of anybody's."""


def _is_for_participant() -> bool:
    """Tell whether whoever asks for a lock lives by a virtual clock."""
    if party_of_caller() is None:
        return False
    frame: FrameType | None = sys._getframe(2)  # noqa: SLF001 - the documented way to the caller
    while frame is not None and "__name__" not in frame.f_globals:  # made by `attrs`, for a class of somebody's
        frame = frame.f_back
    module = None if frame is None else frame.f_globals["__name__"]
    return str(module).partition(".")[0] not in _OWN


def _acquire_within(acquire: Callable[..., bool], waits: deque[ThreadWait], timeout: float) -> bool:
    """Acquire a lock within so many virtual seconds; tell whether it was got."""
    if acquire(blocking=False):
        return True
    party = party_of_caller()
    if party is None or called_by_a_real_caller(3):
        return acquire(timeout=timeout)
    deadline_ns = party.clock.now_ns() + to_ns(timeout)
    while True:
        wait = ThreadWait(deadline_ns)
        waits.append(wait)
        try:
            if acquire(blocking=False):
                return True
            party.hold(wait)
        finally:
            with suppress(ValueError):
                waits.remove(wait)
        if acquire(blocking=False):
            return True
        if not wait.notified:
            return False


def _wake_one(waits: deque[ThreadWait]) -> None:
    with suppress(IndexError):
        waits.popleft().release()


class _AlsoReal(type):
    """Makes `isinstance` true for what the machine makes, too."""

    real: type

    def __instancecheck__(cls, instance: object) -> bool:
        return type.__instancecheck__(cls, instance) or isinstance(instance, cls.real)


class VirtualLock(metaclass=_AlsoReal):
    """A `threading.Lock`."""

    __slots__ = ("__weakref__", "_lock", "_waits")
    real = _Lock

    def __new__(cls) -> Any:
        """Make one for a participant, and the machine's own for everybody else."""
        return object.__new__(cls) if _is_for_participant() else _real_lock()

    def __init__(self) -> None:
        self._lock = _real_lock()
        self._waits: deque[ThreadWait] = deque()

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Acquire the lock; a limit counts virtual seconds where the caller takes part in a simulation."""
        if timeout <= 0 or not blocking:
            return self._lock.acquire(blocking, timeout)
        return _acquire_within(self._lock.acquire, self._waits, timeout)

    def release(self) -> None:
        """Release the lock."""
        self._lock.release()
        if self._waits:
            _wake_one(self._waits)

    def locked(self) -> bool:
        """Tell whether it is held."""
        return self._lock.locked()

    def __enter__(self) -> bool:
        return self._lock.acquire()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._lock.release()
        if self._waits:
            _wake_one(self._waits)

    def _at_fork_reinit(self) -> None:
        self._lock = _real_lock()
        self._waits.clear()

    def __repr__(self) -> str:
        return repr(self._lock)


class VirtualRLock(_RLock):  # type: ignore[misc]  # no public name tells the class
    """A `threading.RLock`."""

    def __init__(self) -> None:
        super().__init__()
        self._waits: deque[ThreadWait] = deque()

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Acquire the lock; a limit counts virtual seconds where the caller takes part in a simulation."""
        if timeout <= 0 or not blocking:
            return bool(super().acquire(blocking, timeout))
        return _acquire_within(super().acquire, self._waits, timeout)

    __enter__ = acquire

    def release(self) -> None:
        """Release it once."""
        super().release()
        if self._waits:
            _wake_one(self._waits)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.release()

    def _release_save(self) -> Any:
        state = super()._release_save()
        if self._waits:
            _wake_one(self._waits)
        return state


def _new_rlock(*args: Any, **options: Any) -> Any:
    """Make a lock that its owner may take again."""
    return VirtualRLock(*args, **options) if _is_for_participant() else _real_rlock(*args, **options)


class VirtualSimpleQueue(queue._PySimpleQueue, metaclass=_AlsoReal):  # type: ignore[name-defined, misc]  # noqa: SLF001 - the standard library's own, of which it exports the fast one
    """A `queue.SimpleQueue`."""

    real = _real_queue

    def __new__(cls) -> Any:
        """Make one for a participant, and the machine's own for everybody else."""
        return object.__new__(cls) if _is_for_participant() else _real_queue()


def _join(self: threading.Thread, timeout: float | None = None) -> None:
    """Wait for the end of a thread; a limit counts virtual seconds among the threads of one simulation."""
    party = party_of_caller()
    waits: deque[ThreadWait] | None = self.__dict__.get("_llmtest_joiners")
    if (
        party is None
        or timeout is None
        or timeout <= 0
        or waits is None
        or self is threading.current_thread()
        or called_by_a_real_caller(2)
    ):
        _real_join(self, timeout)
        return
    wait = ThreadWait(party.clock.now_ns() + to_ns(timeout))
    waits.append(wait)
    if "_llmtest_joiners" in self.__dict__:
        try:
            party.hold(wait)
        finally:
            with suppress(ValueError):
                waits.remove(wait)
        if not wait.notified:
            return
    _real_join(self)


def release_joiners(thread: threading.Thread) -> None:
    """Let those go on who wait for a thread; called in it, as the last thing it does."""
    waits: deque[ThreadWait] = thread.__dict__.pop("_llmtest_joiners")
    while waits:
        _wake_one(waits)


for _real, _replacement in (
    (_real_lock, VirtualLock),
    (_real_rlock, _new_rlock),
    (_real_queue, VirtualSimpleQueue),
):
    also_by_name(_real, _replacement)


def install_locks(patches: Patches) -> None:
    """Put the replacements in place."""
    patches.replace(threading, "Lock", VirtualLock)
    patches.replace(threading, "RLock", _new_rlock)
    patches.replace(queue, "SimpleQueue", VirtualSimpleQueue)
    patches.replace(threading.Thread, "join", _join)
