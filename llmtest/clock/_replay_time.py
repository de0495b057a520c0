"""Virtual time for what is only played: a recording waits for nothing, and neither do those who listen to it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from llmtest.clock._adoption import adopt
from llmtest.clock._clock import VirtualClock
from llmtest.clock._epoch import epoch_of
from llmtest.clock._installation import is_installed, virtual_time
from llmtest.clock._loop import VirtualTimeLoop

__all__ = ["replay_time"]


@contextmanager
def replay_time(label: str) -> Iterator[None]:
    """Let waits of the calling thread, and of threads that it starts, cost nothing while the context is open.

    Time is virtual from the machine's date on. Where a simulation runs it is virtual already, and on a loop that cannot
    live by another clock it stays real.

    Args:
        label: Who asks, for the message when a simulation is started inside.
    """
    loop = asyncio._get_running_loop()  # noqa: SLF001 - the public name raises where there is no loop
    trio = sys.modules.get("trio")
    if (
        is_installed()
        or (loop is not None and (isinstance(loop, VirtualTimeLoop) or not isinstance(loop, asyncio.SelectorEventLoop)))
        or (trio is not None and trio.lowlevel.in_trio_run())
    ):
        yield
        return
    clock = VirtualClock(epoch_of("now"))
    with virtual_time(clock, label=label):
        if loop is not None and clock._party is not None:  # noqa: SLF001 - the clock and its party are one machine
            adopt(loop, clock._party)  # noqa: SLF001 - see above
        yield
