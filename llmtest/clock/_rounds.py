# ruff: noqa: SLF001 - the loop and its rounds are one machine
"""Rounds of a virtual loop that its own fast path does not do: nested ones, and those of code that polls.

`nest_asyncio` lets a running loop be run again from within. It replaces methods of the loop's class by ones that know
nothing of virtual time, so a virtual loop keeps its methods and does itself what `nest_asyncio` promises.
"""

from __future__ import annotations

import asyncio
import asyncio.tasks
import threading
from asyncio import _get_running_loop, _set_running_loop
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from llmtest.clock._clock import NEVER_NS, running_loops
from llmtest.clock._real import REAL

if TYPE_CHECKING:
    from llmtest.clock._loop import VirtualTimeLoop

SPINS_MAX = 100_000
"""Rounds of the loop at one instant before it is asked who polls, and what for."""
SPINS_WATCHED = 50
"""Further rounds in which a reading of the clock says that somebody polls for the time."""
SPINS_FOR_OTHERS = 20_000
"""Further rounds, a millisecond each, that other threads get before polling for them is called a livelock, too."""
STEP_NS = 1_000_000
"""The first steps of time for somebody who polls the clock."""
STEP_SHARE = 100
"""Later steps are this part of the time that the polling has taken: it ends at most a hundredth late."""
PAUSE_S = 0.001
"""The shortest real wait."""


def can_be_nested() -> bool:
    """Tell whether `nest_asyncio` has been applied in this process."""
    return hasattr(asyncio, "_nest_patched")


def run_nested(loop: VirtualTimeLoop, awaitable: Any) -> Any:
    """Run a loop until an awaitable is done, also where it is running already.

    Raises:
        RuntimeError: The loop was stopped before.
    """
    loop._check_closed()
    thread, running = loop._thread_id, _get_running_loop()
    future: Any = asyncio.ensure_future(awaitable, loop=loop)
    if future is not awaitable:
        future._log_destroy_pending = False
    try:
        loop._thread_id = threading.get_ident()
        _set_running_loop(loop)
        while not future.done():
            one_round(loop)
            if loop._stopping:
                break
    finally:
        loop._thread_id = thread
        _set_running_loop(running)
    if not future.done():
        raise RuntimeError("Event loop stopped before Future completed.")
    return future.result()


def as_running(loop: VirtualTimeLoop, rounds: Callable[[], None]) -> None:
    """Do rounds of a loop, which the thread knows meanwhile as the one that runs in it.

    Args:
        loop: The loop.
        rounds: Does one round, or several.
    """
    thread = threading.get_ident()
    around = running_loops.get(thread)
    running_loops[thread] = loop
    try:
        rounds()
    finally:
        if around is None:
            running_loops.pop(thread, None)  # a fork has forgotten it
        else:
            running_loops[thread] = around


def one_round(loop: VirtualTimeLoop) -> None:
    """Do one round of a loop; the task that is in the middle of something steps aside meanwhile."""
    as_running(loop, partial(_do_round, loop))


def _do_round(loop: VirtualTimeLoop) -> None:
    current: Any = asyncio.tasks._current_tasks  # type: ignore[attr-defined]
    task = current.pop(loop, None)
    try:
        _find_something_to_do(loop)
        ready = loop._ready
        for _ in range(len(ready)):
            if not ready:  # a round within this one has run them
                break
            handle = ready.popleft()
            if not handle._cancelled:
                handle._run()
    finally:
        if task is not None:
            current[loop] = task


def _find_something_to_do(loop: VirtualTimeLoop) -> None:
    if not loop._ready and not loop._stopping:
        loop.wait()
        return
    loop._spins += 1
    if len(loop._fds) != loop._own_fds:
        loop._process_events(loop._selector.select(0))
    loop.release_due()
    if loop._spins > SPINS_MAX:
        spin(loop)


def spin(loop: VirtualTimeLoop) -> None:
    """Many rounds have passed at one instant: somebody polls, for the time or for work that is done elsewhere.

    Where others work they get real time. Where nobody else does, each round gets a small step of virtual time, if that
    can end the polling: somebody reads the clock, or a timer is left.

    Raises:
        VirtualTimeLivelockError: Nothing that anybody could do would end it.
    """
    past = loop._spins - SPINS_MAX
    party = loop.clock._party
    reads = loop.reads + (party.readings.number if party is not None else 0)
    if past == 1:
        loop.polled = Polling(loop.clock._ns, reads)
    alone = not loop._external and (party is None or party.solo_ident == threading.get_ident())
    if past <= SPINS_WATCHED:
        if not alone:
            REAL.sleep(PAUSE_S)
        return
    alone = alone or (not loop._external and party is not None and party.others_wait())
    if alone and (reads != loop.polled.reads or loop.next_ns() < NEVER_NS):
        loop.polled.reads = reads
        loop._spins = SPINS_MAX + SPINS_WATCHED
        step(loop)
    elif past > (2 * SPINS_WATCHED if alone else SPINS_FOR_OTHERS):
        raise loop.livelock(f"{SPINS_MAX:,} rounds of the loop have passed at one instant")
    elif not alone:
        REAL.sleep(PAUSE_S)


class Polling:
    """When a polling was noticed, and how often the clock had been read by then."""

    def __init__(self, since_ns: int, reads: int) -> None:
        self.since_ns = since_ns
        self.reads = reads


def step(loop: VirtualTimeLoop) -> None:
    """Let a little time pass for somebody who reads the clock in each round."""
    clock = loop.clock
    ns = clock._ns + max(STEP_NS, (clock._ns - loop.polled.since_ns) // STEP_SHARE)
    due_ns = loop.next_ns()
    if ns >= due_ns:
        ns = due_ns
        loop.polled.since_ns = ns
    loop.jump(ns)
