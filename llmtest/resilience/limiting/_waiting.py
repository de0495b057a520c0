"""How a request waits until its turn may have come: woken by another one, or by the time."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from llmtest.clock import VirtualClock

if TYPE_CHECKING:
    from llmtest.clock import Clock
    from llmtest.resilience.pipeline._sync_async import Parts

__all__ = ["Turn", "turn_for"]

NS = 1_000_000_000
POLL_NS = 20_000_000
"""How often an event loop that is not asyncio's looks for its turn."""


class Turn(Protocol):
    """One request's wait."""

    def wake(self) -> None:
        """End the wait that is under way, or the next one; from any thread."""
        ...

    async def wait(self, clock: Clock, ns: int | None, poll_ns: int | None = None) -> bool:
        """Wait so long, or until woken; return False where nobody could ever wake it.

        Args:
            clock: The time.
            ns: How long; None: until woken.
            poll_ns: How long at most, because another process may bring about what is waited for.
        """
        ...


def turn_for(parts: Parts) -> Turn:
    """Return a wait in the world of a call."""
    if not parts.is_async:
        return ThreadTurn()
    loop = asyncio._get_running_loop()  # noqa: SLF001 - the public name raises where there is no loop
    return PolledTurn() if loop is None else TaskTurn(loop)


def _sooner(ns: int | None, poll_ns: int | None) -> int | None:
    return poll_ns if ns is None else ns if poll_ns is None else min(ns, poll_ns)


class TaskTurn:
    """A task of an event loop.

    Args:
        loop: The loop.
    """

    __slots__ = ("_future", "_ident", "_is_woken", "_loop")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._ident = threading.get_ident()
        self._is_woken = False
        self._future: asyncio.Future[None] | None = None

    def wake(self) -> None:
        """End the wait."""
        self._is_woken = True
        if threading.get_ident() == self._ident:
            self._end()
            return
        with suppress(RuntimeError):  # Its loop is closed, and nobody waits.
            self._loop.call_soon_threadsafe(self._end)

    def _end(self) -> None:
        future = self._future
        if future is not None and not future.done():
            future.set_result(None)

    async def wait(self, clock: Clock, ns: int | None, poll_ns: int | None = None) -> bool:
        """Wait, letting other tasks run."""
        del clock
        ns = _sooner(ns, poll_ns)
        if not self._is_woken:
            self._future = self._loop.create_future()
            timer = None if ns is None else self._loop.call_later(ns / NS, self._end)
            try:
                await self._future
            finally:
                self._future = None
                if timer is not None:
                    timer.cancel()
        self._is_woken = False
        return True


class ThreadTurn:
    """A thread; most never wait, so what they would wait for is made when one does."""

    __slots__ = ("_event", "_is_woken")

    def __init__(self) -> None:
        self._event: threading.Event | None = None
        self._is_woken = False

    def wake(self) -> None:
        """End the wait."""
        self._is_woken = True
        if self._event is not None:
            self._event.set()

    async def wait(self, clock: Clock, ns: int | None, poll_ns: int | None = None) -> bool:
        """Block the thread."""
        # Whoever wakes it says so before it looks for the event, and here the event is there before that is read.
        event = self._event = threading.Event()
        if not self._is_woken:
            if isinstance(clock, VirtualClock) and not clock.is_shared:
                # It is the only thread of its clock: time may help, and nobody else can.
                if ns is None:
                    return False
                clock.sleep_ns(ns if poll_ns is None else min(ns, poll_ns))
            else:
                ns = _sooner(ns, poll_ns)
                event.wait(None if ns is None else ns / NS)
        self._is_woken = False
        return True


class PolledTurn:
    """A task of an event loop that is not asyncio's."""

    __slots__ = ("_is_woken",)

    def __init__(self) -> None:
        self._is_woken = False

    def wake(self) -> None:
        """End the wait."""
        self._is_woken = True

    async def wait(self, clock: Clock, ns: int | None, poll_ns: int | None = None) -> bool:
        """Wait a little, letting other tasks run."""
        ns = _sooner(ns, poll_ns)
        if not self._is_woken:
            await clock.sleep_async_ns(POLL_NS if ns is None else min(ns, POLL_NS))
        self._is_woken = False
        return True
