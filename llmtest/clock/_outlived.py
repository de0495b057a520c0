"""Who goes on after the simulation it belongs to has ended: a thread that a test left running, a loop it left open."""

from __future__ import annotations

import asyncio
import concurrent.futures.thread
import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from llmtest.clock._names import party_of_caller

if TYPE_CHECKING:
    from llmtest.clock._participants import Party

_get_ident = threading.get_ident


class _Left:
    """What ended simulations have left behind."""

    def __init__(self) -> None:
        self.threads: WeakSet[threading.Thread] = WeakSet()
        self.workers: WeakSet[threading.Thread] = WeakSet()
        """Threads of pools, as long as they do what was submitted in a simulation; a pool may well outlive it."""
        self.idents: set[int] = set()
        """Threads that were made without an object for them."""
        self.loops: WeakSet[Any] = WeakSet()


_left = _Left()


def leave_behind(party: Party) -> None:
    """Remember what is left of the threads and loops of a simulation that has just ended."""
    own = threading.current_thread()
    pools: Any = concurrent.futures.thread._threads_queues  # noqa: SLF001 - no public name tells the workers
    for thread in tuple(party.born):
        if thread is not own and thread.is_alive() and thread not in pools:
            _left.threads.add(thread)
    busy = party.jobs.workers()
    _left.workers.update(thread for thread in threading.enumerate() if thread.ident in busy)
    _left.idents |= party.bare
    _left.loops.update(loop for loop in tuple(party.made_loops) if not loop.is_closed())


def end_of_job() -> None:
    """Note, in a thread of a pool, that it has done what was submitted in a simulation."""
    if _left.workers:
        _left.workers.discard(threading.current_thread())


def end_of_bare_thread() -> None:
    """Note, in a thread without an object, that it ends; the system gives its number to another one."""
    _left.idents.discard(_get_ident())


def outlived() -> str | None:
    """Tell, as words for a message, what the caller runs on if that has outlived its simulation; else None."""
    if not (_left.threads or _left.loops or _left.workers or _left.idents):
        return None
    thread = threading.current_thread()
    if thread in _left.threads or thread in _left.workers or thread.ident in _left.idents:
        return f"the thread `{thread.name}`, which was started there and has not ended"
    loop = asyncio._get_running_loop()  # noqa: SLF001 - the public name raises where there is no loop
    if loop is not None and loop in _left.loops and party_of_caller() is None:
        return "an event loop that was made there and has not been closed"
    return None


def has_left_something() -> bool:
    """Tell whether threads or loops of ended simulations are still there."""
    threads: Iterable[threading.Thread] = (*_left.threads, *_left.workers)
    return bool(
        _left.idents
        or any(thread.is_alive() for thread in threads)
        or any(not loop.is_closed() for loop in tuple(_left.loops))
    )
