# ruff: noqa: SLF001 - the stock loop, its subclass and the clock are one machine here
"""Loops that outlive a simulation: they live by its clock while it runs, and by the machine's before and after.

Libraries keep a loop between tests (a `run_sync` that asks for the current loop, a policy that made one for the main
thread), and some make `SelectorEventLoop()` directly. A virtual loop differs from a stock one in its methods alone, so
such a loop changes its class on the way in and changes it back on the way out, and its timers move from one clock to
the other with what is left of their time.
"""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from functools import cache, partial
from heapq import heapify, heappush
from typing import TYPE_CHECKING, Any

from llmtest.clock._clock import NS_PER_SECOND, to_ns
from llmtest.clock._handles import Timer
from llmtest.clock._loop import VirtualTimeLoop
from llmtest.clock._real import REAL
from llmtest.clock._rounds import one_round

if TYPE_CHECKING:
    from llmtest.clock._participants import Party

_log = logging.getLogger("llmtest")
_STOCK_RESOLUTION = time.get_clock_info("monotonic").resolution


@cache
def _virtual_class(kind: Any) -> type[VirtualTimeLoop]:
    """Return the class of an adopted loop: virtual first, and what its own class added behind."""
    if issubclass(VirtualTimeLoop, kind):
        return VirtualTimeLoop
    return type(kind.__name__, (VirtualTimeLoop, kind), {"__module__": kind.__module__})


def adopt(loop: asyncio.AbstractEventLoop, party: Party) -> bool:
    """Let a loop live by the clock of a simulation until that ends; tell whether it does.

    Args:
        loop: Any event loop, not closed.
        party: The threads of the simulation.
    """
    if isinstance(loop, VirtualTimeLoop):
        return True
    if not isinstance(loop, asyncio.SelectorEventLoop) or loop.is_closed():
        return False
    kind = type(loop)
    scheduled: list[Any] = loop._scheduled  # type: ignore[attr-defined]
    try:
        loop.__class__ = _virtual_class(kind)  # type: ignore[arg-type]  # classes can be hashed
    except TypeError:  # a class with slots, or one made in C
        return False
    adopted: Any = loop
    adopted._stock_class = kind
    adopted.__dict__.pop("call_exception_handler", None)
    adopted.begin(party.clock, jumps_max=party.jumps_max, elapsed_max=party.elapsed_max)
    if hasattr(kind, "_nest_patched"):  # it is entered through methods that expect one round at a time
        adopted._run_once = lambda: one_round(adopted)
    for handle in scheduled:
        _move_in(adopted, handle)
    scheduled.clear()
    party.loops.add(adopted)
    return True


def _move_in(loop: VirtualTimeLoop, handle: Any) -> None:
    clock = loop.clock
    when_ns = to_ns(handle._when)
    if when_ns < clock._base_ns:  # set by the machine's clock, which reads less than that of any simulation
        when_ns += clock._base_ns + clock._ns - REAL.monotonic_ns()
    handle.__class__ = Timer
    handle._when = when_ns / NS_PER_SECOND
    loop._sequence += 1
    loop._timers.append((when_ns - clock._base_ns, loop._sequence, handle))
    heapify(loop._timers)


def release(loop: VirtualTimeLoop) -> None:
    """Let a loop keep real time from now on, as a stock loop that goes on where the virtual one was."""
    if loop.is_closed():
        return
    kind = loop.__dict__.pop("_stock_class", asyncio.SelectorEventLoop)
    loop.__dict__.pop("_run_once", None)
    timers = sorted(loop._timers, key=lambda entry: entry[:2])
    now_ns = loop.clock._ns
    loop._timers = []
    loop.__class__ = kind
    stock: Any = loop
    del stock.clock
    stock._clock_resolution = _STOCK_RESOLUTION
    for ns, _, item in timers:
        when = REAL.monotonic() + (ns - now_ns) / NS_PER_SECOND
        if isinstance(item, asyncio.TimerHandle):
            if not item._cancelled:
                item.__class__ = asyncio.TimerHandle
                item._when = when  # type: ignore[attr-defined]
                heappush(stock._scheduled, item)
        elif not item.done():
            stock.call_at(when, _complete, item)
    stock.call_exception_handler = partial(VirtualTimeLoop.call_exception_handler, stock)
    left = len(asyncio.all_tasks(stock))
    if left:
        _log.warning(
            "an event loop outlived the simulation that it was in, with %d tasks unfinished: it keeps real time from "
            "now on",
            left,
        )


def _complete(future: asyncio.Future[None]) -> None:
    with suppress(asyncio.InvalidStateError):
        future.set_result(None)
