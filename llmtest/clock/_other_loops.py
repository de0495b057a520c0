"""Waiting where no loop of asyncio runs: in trio, whose clock is ours too while a simulation runs."""

from __future__ import annotations

import asyncio
import sys
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
