"""Making virtual loops, and running a coroutine on one without touching anything global."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from llmtest.clock._clock import VirtualClock
from llmtest.clock._loop import VirtualTimeLoop
from llmtest.clock._order import deterministic_order

T = TypeVar("T")


def new_virtual_loop(clock: VirtualClock | None = None) -> VirtualTimeLoop:
    """Make an event loop on `clock`, or on a new one."""
    return VirtualTimeLoop(clock)


def is_virtual_loop(loop: object) -> bool:
    """Tell whether a loop lives by a virtual clock."""
    return isinstance(loop, VirtualTimeLoop)


def run_virtual(coroutine: Coroutine[Any, Any, T], clock: VirtualClock | None = None) -> T:
    """Run a coroutine on a virtual loop to its end, and return its result.

    Touches nothing global: `time.time` stays real. Code inside reads `active_clock()`.

    Args:
        coroutine: What to run.
        clock: Clock to live by; by default a new one.

    Raises:
        VirtualTimeStalledError: Every task waits, and none of them for time.
        VirtualTimeLivelockError: The code keeps running and time does not move.
    """
    with deterministic_order(), asyncio.Runner(loop_factory=lambda: VirtualTimeLoop(clock)) as runner:
        return runner.run(coroutine)
