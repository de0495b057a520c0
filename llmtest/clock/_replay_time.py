"""Virtual time for what is only played: a recording waits for nothing, and neither do those who listen to it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from llmtest.clock._clock import VirtualClock
from llmtest.clock._epoch import epoch_of
from llmtest.clock._installation import is_installed, virtual_time
from llmtest.clock._passing_clock import PassingClock
from llmtest.clock._without_waits import without_waits

__all__ = ["replay_time"]


@contextmanager
def replay_time(label: str, *, passing: bool = False) -> Iterator[None]:
    """Let waits of the calling thread, and of threads and loops that it starts, cost nothing while the context is open.

    Time is virtual from the machine's date on. Where a simulation runs it is virtual already. On a running loop of
    asyncio or trio it stays real, because its other tasks may have contexts of their own, which end in any order: there
    the sleeps of this context end at once.

    Args:
        label: Who asks, for the message when a simulation is started inside.
        passing: Whether the machine's time passes beside the waits that are jumped over.
    """
    trio = sys.modules.get("trio")
    loop = asyncio._get_running_loop()  # noqa: SLF001 - the public name raises where there is none
    if is_installed():
        yield
        return
    runs = loop is not None or (trio is not None and trio.lowlevel.in_trio_run())
    clock = PassingClock if passing else VirtualClock
    with without_waits(loop) if runs else virtual_time(clock(epoch_of("now")), label=label):
        yield
