"""Making the calls: open load at its times, closed load by users who wait."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from llmtest.clock import VirtualClock, stream
from llmtest.scenarios._arrivals import Arrival, open_arrivals, sizes_of
from llmtest.scenarios._spec import Load

__all__ = ["Call", "ProgressReport", "drive"]

NS = 1_000_000_000
REPORT_EVERY = 500
SWEEP_AT = 32
"""Calls that are remembered before those that have ended are taken out; what is kept is the collector's work."""


Call = Callable[[Arrival], Coroutine[Any, Any, None]]
"""Makes one logical call; never raises for a call that fails."""
ProgressReport = Callable[[float | None, int], None]
"""Is told the share of the load that is done (None: unknown) and the calls made so far."""


async def drive(
    load: Load,
    seed: int,
    clock: VirtualClock,
    call: Call,
    *,
    is_over: Callable[[], bool],
    on_progress: ProgressReport | None = None,
) -> int:
    """Make every call of a load and wait for all of them; return how many there were.

    Args:
        load: The traffic.
        seed: Seed of the run.
        clock: The clock of the run.
        call: Makes one call.
        is_over: Asked before each call; no more are made once it says yes.
        on_progress: Is told every 500 calls.
    """
    if load.users is not None:
        made = await _closed(load, seed, clock, call, is_over, on_progress)
    else:
        made = await _open(load, seed, clock, call, is_over, on_progress)
    if (
        load.duration is not None
        and load.max_calls is None
        and not is_over()
        and clock.now_ns() < round(load.duration * NS)
    ):
        await clock.sleep_async_ns(round(load.duration * NS) - clock.now_ns())
    return made


async def _open(
    load: Load,
    seed: int,
    clock: VirtualClock,
    call: Call,
    is_over: Callable[[], bool],
    on_progress: ProgressReport | None,
) -> int:
    """Start each call when it is due, whether or not earlier ones were answered."""
    pending: list[asyncio.Task[None]] = []
    most = SWEEP_AT
    create_task = asyncio.get_running_loop().create_task
    made = 0
    for arrival in open_arrivals(load, seed):
        wait = arrival.at_ns - clock.now_ns()
        if wait > 0:
            await clock.sleep_async_ns(wait)
        if is_over():
            break
        pending.append(create_task(call(arrival)))
        if len(pending) >= most:
            # A callback of each task that takes it out would be one more thing to schedule for every call.
            pending = [task for task in pending if not task.done()]
            most = max(SWEEP_AT, 2 * len(pending))
        made += 1
        if on_progress is not None and made % REPORT_EVERY == 0:
            share = None if load.duration is None else arrival.at_ns / NS / load.duration
            on_progress(share, made)
    if pending:
        await asyncio.wait(pending)
    return made


async def _closed(
    load: Load,
    seed: int,
    clock: VirtualClock,
    call: Call,
    is_over: Callable[[], bool],
    on_progress: ProgressReport | None,
) -> int:
    """Let each user ask, wait for the answer, think, and ask again."""
    assert load.users is not None
    sizes = sizes_of(load, seed)
    end_ns = None if load.duration is None else round(load.duration * NS)
    made = 0

    async def user(number: int) -> None:
        nonlocal made
        # Users do not arrive together: each begins somewhere in its first pause.
        think_ns = round(load.think * NS)
        await clock.sleep_async_ns(int(stream(seed, "load", "user", number).random() * think_ns))
        while end_ns is None or clock.now_ns() < end_ns:
            if is_over() or (load.max_calls is not None and made >= load.max_calls):
                return
            made += 1
            now = clock.now_ns()
            await call(Arrival(now, *sizes()))
            if on_progress is not None and made % REPORT_EVERY == 0:
                on_progress(None if end_ns is None else now / end_ns, made)
            if think_ns:
                await clock.sleep_async_ns(think_ns)
            elif clock.now_ns() == now:
                await clock.sleep_async_ns(1_000_000)  # An answer in no time at all must not stop the clock.

    async with asyncio.TaskGroup() as group:
        for number in range(load.users):
            group.create_task(user(number))
    return made
