"""An alarm of the system that can be put off while somebody sleeps by it, who then does not wake in between.

A thread that wakes in Python waits for the interpreter lock, and where another thread lets it go and takes it again at
every random number that it draws, it waits for long: meanwhile each of these wakes it for nothing, at the cost of the
one that works. So who is not needed while others work must not wake, and a timed wait for a lock cannot be prolonged.
`timerfd` of Linux can (man 2 timerfd_create).
"""

from __future__ import annotations

import ctypes
import os
import time

from llmtest.clock._real import REAL

_CLOEXEC = 0o2000000


class _TimerSpec(ctypes.Structure):
    """`struct itimerspec`: how often, and when first; two times of seconds and nanoseconds."""

    _fields_ = (
        ("every_s", ctypes.c_long),
        ("every_ns", ctypes.c_long),
        ("first_s", ctypes.c_long),
        ("first_ns", ctypes.c_long),
    )


class Alarm:
    """Wakes one thread when it has not been put off for a while.

    Args:
        after_s: Real seconds until it rings; below 1.

    Raises:
        OSError: The system has no such timers.
    """

    def __init__(self, after_s: float) -> None:
        # Calls that keep the interpreter lock: they take less than a microsecond, and giving it up costs more.
        system = ctypes.PyDLL(None, use_errno=True)
        try:
            create, self._set_time = system.timerfd_create, system.timerfd_settime
        except AttributeError:
            raise OSError("no timerfd here") from None
        after_ns = int(after_s * 1e9)
        self._half_ns = after_ns // 2
        self._set_ns = 0
        self._usual = ctypes.byref(_TimerSpec(first_ns=after_ns))
        self._now = ctypes.byref(_TimerSpec(first_ns=1))
        self._file = int(create(time.CLOCK_MONOTONIC, _CLOEXEC))
        if self._file < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")

    def wait(self) -> None:
        """Sleep until it rings, the usual time from now at the earliest, if nobody says `ring`."""
        self._set(self._usual)
        os.read(self._file, 8)

    def put_off(self) -> None:
        """Let it ring the usual time from now; twice within half of that time is once."""
        now_ns = REAL.monotonic_ns()
        if now_ns - self._set_ns > self._half_ns:
            self._set_ns = now_ns
            self._set(self._usual)

    def ring(self) -> None:
        """Wake the sleeper now."""
        self._set(self._now)

    def close(self) -> None:
        """Give the timer back."""
        file, self._file = self._file, -1
        os.close(file)

    def _set(self, spec: object) -> None:
        self._set_time(self._file, 0, spec, None)
