"""Clocks: what time it is, and how to wait, without saying whether time is real.

Everything in the package that reads or spends time does it through a `Clock`. A virtual one counts integer
nanoseconds, so that a thousand sleeps of 0.1 s end at exactly 100 s, and adds an epoch to tell wall time.
"""

from __future__ import annotations

import asyncio
import os
import threading
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from llmtest.clock._other_loops import settle_elsewhere, sleep_elsewhere
from llmtest.clock._real import REAL
from llmtest.errors import ConfigurationError

if TYPE_CHECKING:
    from llmtest.clock._participants import Party

NS_PER_SECOND = 1_000_000_000
DEFAULT_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NEVER_NS = 1 << 62
"""A deadline that never comes: 146 years."""

_get_ident = threading.get_ident

running_loops: dict[int, Any] = {}
"""The virtual loop that runs in each thread. asyncio knows it too, but asks the kernel for the process each time, which
on some machines takes longer than anything else in a simulated call."""


def to_ns(seconds: float) -> int:
    """Return seconds as whole nanoseconds; infinity becomes a deadline that never comes."""
    try:
        return round(seconds * NS_PER_SECOND)
    except OverflowError:
        return NEVER_NS if seconds > 0 else -NEVER_NS


@runtime_checkable
class Clock(Protocol):
    """Time to read and to spend."""

    def now_ns(self) -> int:
        """Return monotonic nanoseconds since the clock's start."""
        ...

    def time_ns(self) -> int:
        """Return wall time, in nanoseconds since 1970."""
        ...

    def now(self) -> datetime:
        """Return wall time as an aware UTC datetime."""
        ...

    def elapsed(self) -> float:
        """Return seconds since the clock's start."""
        ...

    def sleep(self, seconds: float) -> None:
        """Block the calling thread."""
        ...

    def sleep_ns(self, ns: int) -> None:
        """Block the calling thread for whole nanoseconds."""
        ...

    async def sleep_async(self, seconds: float) -> None:
        """Suspend the calling task."""
        ...

    async def sleep_async_ns(self, ns: int) -> None:
        """Suspend the calling task for whole nanoseconds."""
        ...


class SystemClock:
    """The machine's own clock."""

    def __init__(self) -> None:
        self._start_ns = REAL.monotonic_ns()

    def now_ns(self) -> int:
        """Return monotonic nanoseconds since this object was made."""
        return REAL.monotonic_ns() - self._start_ns

    def time_ns(self) -> int:
        """Return wall time, in nanoseconds since 1970."""
        return REAL.time_ns()

    def now(self) -> datetime:
        """Return wall time as an aware UTC datetime."""
        return datetime_at(REAL.time_ns())

    def elapsed(self) -> float:
        """Return seconds since this object was made."""
        return self.now_ns() / NS_PER_SECOND

    def sleep(self, seconds: float) -> None:
        """Block the calling thread."""
        REAL.sleep(max(0.0, seconds))

    def sleep_ns(self, ns: int) -> None:
        """Block the calling thread for whole nanoseconds."""
        REAL.sleep(max(0, ns) / NS_PER_SECOND)

    async def sleep_async(self, seconds: float) -> None:
        """Suspend the calling task."""
        await asyncio.sleep(seconds)

    async def sleep_async_ns(self, ns: int) -> None:
        """Suspend the calling task for whole nanoseconds."""
        await asyncio.sleep(ns / NS_PER_SECOND)


def datetime_at(epoch_ns: int) -> datetime:
    """Return the aware UTC datetime of a moment; microseconds are the finest it can say."""
    return UNIX_EPOCH + timedelta(microseconds=epoch_ns // 1000)


class VirtualClock:
    """A clock whose time moves only when everybody waits for it.

    Waiting costs no real time: a thread's sleep moves the clock at once, and a `VirtualTimeLoop` jumps to its next
    deadline when no task can run. Readings are integer nanoseconds, so sums of sleeps are exact.

    Args:
        epoch: Wall time at the start; an aware datetime, default 2026-01-01T00:00:00Z.

    Example:
        >>> clock = VirtualClock()
        >>> clock.sleep(3600)
        >>> clock.elapsed()
        3600.0
    """

    def __init__(self, epoch: datetime = DEFAULT_EPOCH) -> None:
        if epoch.tzinfo is None:
            raise ConfigurationError(
                f"the epoch of a virtual clock needs a time zone, got {epoch!r}. To fix: add tzinfo=UTC"
            )
        self._ns = 0
        self._epoch_ns = (epoch - UNIX_EPOCH) // timedelta(microseconds=1) * 1000
        self._base_ns = 0
        """What monotonic clocks read at the start; above the real reading while a simulation is installed."""
        self._numbers = count(1)
        self._party: Party | None = None
        """Threads that share this clock, while a simulation is installed; None means the caller is alone."""

    @property
    def is_shared(self) -> bool:
        """Whether threads live by it; else it is that of the one thread, or event loop, that holds it."""
        return self._party is not None

    def now_ns(self) -> int:
        """Return nanoseconds since the clock's start."""
        return self._ns

    def time_ns(self) -> int:
        """Return wall time, in nanoseconds since 1970."""
        return self._epoch_ns + self._ns

    def now(self) -> datetime:
        """Return wall time as an aware UTC datetime."""
        return datetime_at(self._epoch_ns + self._ns)

    def elapsed(self) -> float:
        """Return seconds since the clock's start."""
        return self._ns / NS_PER_SECOND

    def sleep(self, seconds: float) -> None:
        """Wait in virtual time, blocking the calling thread; 0 or more seconds."""
        self.sleep_ns(to_ns(seconds))

    def sleep_ns(self, ns: int) -> None:
        """Wait whole nanoseconds of virtual time, blocking the calling thread."""
        party = self._party
        if party is None:
            self._ns += max(0, ns)
        else:
            party.sleep_until(self._ns + max(0, ns))

    async def sleep_async(self, seconds: float) -> None:
        """Wait in virtual time, letting other tasks run."""
        await self.sleep_async_ns(to_ns(seconds))

    async def sleep_async_ns(self, ns: int) -> None:
        """Wait whole nanoseconds of virtual time, letting other tasks run."""
        loop: Any = running_loops.get(_get_ident()) or asyncio._get_running_loop()  # noqa: SLF001 - the public name raises
        wait = getattr(loop, "wait_until_ns", None)
        if loop is None:
            await sleep_elsewhere((self._ns + ns) / NS_PER_SECOND)
        elif wait is None or loop.clock is not self:  # only a virtual loop has a clock
            self.sleep_ns(ns)
            await asyncio.sleep(0)
        elif ns <= 0:
            await asyncio.sleep(0)
        else:
            await wait(self._ns + ns)

    def advance(self, seconds: float) -> None:
        """Move time forward from synchronous code; whatever falls due runs in the order of its deadline.

        Sleeping threads run as their deadlines come. A loop that is running in the calling thread cannot run before
        this returns; its timers fire afterwards, in order. In a coroutine use `advance_async`.

        Args:
            seconds: How far; 0 or more.
        """
        self._refuse_backwards(seconds)
        self.sleep_ns(to_ns(seconds))

    async def advance_async(self, seconds: float) -> None:
        """Move time forward and return when everything that fell due on the way, and at its end, has run.

        Args:
            seconds: How far; 0 or more.
        """
        self._refuse_backwards(seconds)
        loop = asyncio._get_running_loop()  # noqa: SLF001 - the public name raises where there is no loop
        settle = getattr(loop, "settle_at_ns", None)
        if loop is None:
            await self.sleep_async(seconds)
            await settle_elsewhere()
        elif settle is None or loop.clock is not self:  # type: ignore[attr-defined]  # only a virtual loop has a clock
            await self.sleep_async(seconds)
        else:
            await settle(self._ns + to_ns(seconds))

    def monotonic_ns(self) -> int:
        """Return what `time.monotonic_ns` reads while this clock is installed."""
        return self._base_ns + self._ns

    def note_real_io(self, peer: str | None = None) -> None:
        """Say that a real connection was used just now: time stands still until it has been quiet for a moment.

        Args:
            peer: The other end, as `host:port`; None where it is not known.
        """
        if self._party is not None:
            self._party.note_real_io(peer)

    def next_number(self) -> int:
        """Return the next of 1, 2, 3 ...; what is named by them is named alike in every run."""
        return next(self._numbers)

    def shift_epoch(self, epoch: datetime) -> None:
        """Make wall time read `epoch` now, leaving elapsed time as it is."""
        self._epoch_ns = (epoch - UNIX_EPOCH) // timedelta(microseconds=1) * 1000 - self._ns

    def stand_still(self) -> None:
        """Move by waits alone until `go_on`, because somebody has frozen time; this clock never moves by itself."""

    def go_on(self) -> None:
        """Move as before the last `stand_still`."""

    @staticmethod
    def _refuse_backwards(seconds: float) -> None:
        if seconds < 0:
            raise ConfigurationError(
                f"virtual time cannot go back: advance({seconds:g}).\n"
                "To fix: pass 0 or more seconds, or start a new clock."
            )


_system_clock = SystemClock()
_installed: VirtualClock | None = None


def install_clock(clock: VirtualClock | None) -> None:
    """Make `clock` the one that `active_clock` finds in the threads of its party."""
    global _installed  # noqa: PLW0603 - at most one simulation runs in a process
    _installed = clock


def active_clock() -> Clock:
    """Return the clock the calling code lives by.

    That is the virtual clock of the loop it runs on, else that of the running simulation if the calling thread takes
    part in it, else the machine's.
    """
    clock = _installed
    if clock is not None:
        party = clock._party  # noqa: SLF001 - the clock and its party are one machine
        if party is None or _get_ident() in party.idents:
            return clock
    if running_loops and (loop := running_loops.get(_get_ident())) is not None:
        virtual: VirtualClock = loop.clock
        return virtual
    loop = asyncio._get_running_loop()  # noqa: SLF001 - the public name raises where there is no loop
    return getattr(loop, "clock", _system_clock) if loop is not None else _system_clock


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=running_loops.clear)
