"""The task of an event loop that sends probes when they are due, for as long as the chain is used."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Protocol
from weakref import ReferenceType, WeakKeyDictionary, ref

from llmtest.clock import Clock, active_clock

__all__ = ["Watched", "Watches"]


class Watched(Protocol):
    """What sends probes when it is told to."""

    chain: str
    """Name of the chain."""

    def wait_ns(self, now_ns: int) -> int | None:
        """Return how long until a probe is due; None where no more are sent for now."""
        ...

    async def ask_due(self, clock: Clock) -> bool:
        """Make every probe that is due; return whether to go on."""
        ...


class Watches:
    """The tasks of a chain, one on each event loop that has asked it.

    A task ends when the chain rests, is closed or is gone, and with its loop; the next call of the chain begins a new
    one.
    """

    def __init__(self) -> None:
        self._tasks: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Task[None]] = WeakKeyDictionary()
        self.is_closed = False

    def keep(self, loop: asyncio.AbstractEventLoop, health: Watched) -> None:
        """Have a task run on the loop, which is the running one."""
        task = self._tasks.get(loop)
        if (task is None or task.done()) and not self.is_closed:
            name = f"llmtest-health-{health.chain}"
            task = self._tasks[loop] = loop.create_task(_watch(ref(health)), name=name)
            task.add_done_callback(self._forget)

    def _forget(self, task: asyncio.Task[None]) -> None:
        """Let go of a task that has ended; it holds its loop."""
        loop = task.get_loop()
        if self._tasks.get(loop) is task:
            del self._tasks[loop]

    def close(self) -> list[asyncio.Task[None]]:
        """Cancel every task, and let no other one begin; return those of the running loop."""
        self.is_closed = True
        running = asyncio._get_running_loop()  # noqa: SLF001 - the public name raises where there is no loop
        own = []
        for loop, task in list(self._tasks.items()):
            if loop is running:
                task.cancel()
                own.append(task)
            else:
                with suppress(RuntimeError):  # The loop is closed, and with it the task.
                    loop.call_soon_threadsafe(task.cancel)
        return own


async def _watch(held: ReferenceType[Watched]) -> None:
    """Send probes when they are due."""
    while True:
        health = held()
        if health is None:
            return
        clock = active_clock()
        wait_ns = health.wait_ns(clock.now_ns())
        del health  # A chain that nobody holds any more is not kept by this wait.
        if wait_ns is None:
            return
        await clock.sleep_async_ns(wait_ns)
        health = held()
        if health is None or not await health.ask_due(clock):
            return
        del health
