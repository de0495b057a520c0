"""Waiting where no loop of asyncio runs: in trio, whose clock is ours too while a simulation runs."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine
from typing import Any


def _trio() -> Any:
    """Return trio, if the caller runs in it.

    Raises:
        RuntimeError: No event loop runs at all; in the words of asyncio.
    """
    trio = sys.modules.get("trio")
    if trio is None or not trio.lowlevel.in_trio_run():
        asyncio.get_running_loop()
    return trio


async def sleep_elsewhere(deadline: float) -> None:
    """Suspend the task until the clock of its loop, which is not asyncio's, reads `deadline`."""
    await _trio().sleep_until(deadline)


async def settle_elsewhere() -> None:
    """Suspend the task until every other one waits for something."""
    _trio()
    from trio.testing import wait_all_tasks_blocked

    await wait_all_tasks_blocked()


async def wait_for_ever() -> None:
    """Suspend the task until it is cancelled, on whatever loop it runs."""
    if asyncio._get_running_loop() is not None:  # noqa: SLF001 - the public name raises where there is no loop
        await asyncio.get_running_loop().create_future()
    await _trio().sleep_forever()


def wait_elsewhere(seconds: float | None) -> tuple[Callable[[], None], Callable[[], Coroutine[Any, Any, None]]]:
    """Return what ends a wait, from any thread, and what suspends the task until that is called.

    Args:
        seconds: Most seconds to wait, by the clock of the loop; None sets no limit.
    """
    trio = _trio()
    event = trio.Event()
    token = trio.lowlevel.current_trio_token()

    def wake() -> None:
        try:
            token.run_sync_soon(event.set)
        except trio.RunFinishedError:
            return

    async def wait() -> None:
        with trio.move_on_after(float("inf") if seconds is None else seconds):
            await event.wait()

    return wake, wait


def running_task() -> object | None:
    """Return the task that runs now, of whatever loop; None in code that blocks its thread."""
    if asyncio._get_running_loop() is not None:  # noqa: SLF001 - the public name raises where there is no loop
        return asyncio.current_task()
    trio = sys.modules.get("trio")
    if trio is None or not trio.lowlevel.in_trio_task():
        return None
    task: object = trio.lowlevel.current_task()
    return task
