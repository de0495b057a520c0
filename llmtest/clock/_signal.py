"""Something that happens once, and that threads and tasks of any event loop may wait for."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress

from llmtest.clock._clock import NS_PER_SECOND
from llmtest.clock._names import party_of_caller
from llmtest.clock._other_loops import wait_elsewhere
from llmtest.clock._waits import ThreadWait

__all__ = ["Signal"]


class Signal:
    """Something that happens once; whoever waits for it goes on, in whatever thread or loop.

    A limit counts virtual seconds where the waiting thread, or the loop of the waiting task, lives by a virtual clock.
    The garbage collector may call `set` in the middle of anything: it takes no lock.

    Example:
        >>> signal = Signal()
        >>> signal.wait_blocking(0)
        False
        >>> signal.set()
        >>> signal.wait_blocking(None)
        True
    """

    __slots__ = ("_is_set", "_wakers")

    def __init__(self) -> None:
        self._is_set = False
        self._wakers: list[Callable[[], object]] = []

    @property
    def is_set(self) -> bool:
        """Whether it has happened."""
        return self._is_set

    def set(self) -> None:
        """Say that it has happened; harmless when repeated."""
        self._is_set = True
        wakers = self._wakers
        while wakers:
            try:
                waker = wakers.pop()
            except IndexError:  # another thread says it at the same moment
                return
            waker()

    def _leave(self, waker: Callable[[], object]) -> None:
        with suppress(ValueError):
            self._wakers.remove(waker)

    def wait_blocking(self, ns: int | None) -> bool:
        """Block the thread until it has happened; tell whether it has.

        Args:
            ns: Most nanoseconds to wait; None sets no limit.
        """
        party = party_of_caller()
        if party is None or ns is None:
            gate = threading.Lock()
            gate.acquire()
            self._wakers.append(gate.release)
            if self._is_set:
                self.set()
            try:
                gate.acquire(timeout=-1 if ns is None else max(ns, 0) / NS_PER_SECOND)
            finally:
                self._leave(gate.release)
            return self._is_set
        wait = ThreadWait(party.clock.now_ns() + ns)
        self._wakers.append(wait.release)
        try:
            if not self._is_set:
                party.hold(wait)
        finally:
            self._leave(wait.release)
        return self._is_set

    async def wait_async(self, ns: int | None) -> bool:
        """Suspend the task until it has happened; tell whether it has.

        Args:
            ns: Most nanoseconds to wait; None sets no limit.
        """
        if asyncio._get_running_loop() is None:  # noqa: SLF001 - the public name raises where there is no loop
            return await self._wait_elsewhere(ns)
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        own = threading.get_ident()

        def settle() -> None:
            if not future.done():
                future.set_result(None)

        def wake() -> None:
            if threading.get_ident() == own:
                settle()
            else:
                with suppress(RuntimeError):  # the loop is closed, and nobody waits in it any more
                    loop.call_soon_threadsafe(settle)

        self._wakers.append(wake)
        limit = None if ns is None else loop.call_later(ns / NS_PER_SECOND, settle)
        try:
            if not self._is_set:
                await future
        finally:
            self._leave(wake)
            if limit is not None:
                limit.cancel()
        return self._is_set

    async def _wait_elsewhere(self, ns: int | None) -> bool:
        waker, waiting = wait_elsewhere(None if ns is None else ns / NS_PER_SECOND)
        self._wakers.append(waker)
        try:
            if not self._is_set:
                await waiting()
        finally:
            self._leave(waker)
        return self._is_set
