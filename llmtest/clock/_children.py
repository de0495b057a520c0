# ruff: noqa: SLF001 - a forked process puts the party of its copy in order
"""Child processes: time stands still while one works that somebody waits for, and each lives by a clock of its own.

A child that was forked has a copy of the simulation, in which its one thread goes on in virtual time. One that was
started afresh lives in real time, and nothing of the simulation is there.
"""

from __future__ import annotations

import asyncio.subprocess
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmtest.clock._clock import NS_PER_SECOND
from llmtest.clock._jobs import JobBook
from llmtest.clock._names import party_of_caller, running_party
from llmtest.clock._real import REAL
from llmtest.clock._socket_replies import ReplyBook
from llmtest.clock._thread_state import awaits_input

if TYPE_CHECKING:
    from concurrent.futures import Future

    from llmtest.clock._late_imports import LateImports
    from llmtest.clock._patches import Patches

LOOK_AGAIN_NS = 2_000_000
"""Real time until a child that works is looked at again."""
IDLE_NS = NS_PER_SECOND // 4
"""How long every look must find a child waiting for input before it no longer holds time."""
PATIENCE_NS = 30 * NS_PER_SECOND
"""How long a child may work before it is one that works in the background."""
_USE_REAL_TIME = tuple(
    f"multiprocessing.{name}" for name in ("connection", "managers", "pool", "queues", "synchronize")
)


class _Waited:
    """A child that somebody waits for."""

    def __init__(self) -> None:
        self.began_ns = REAL.monotonic_ns()
        self.worked_ns = self.began_ns
        self.waiters = 1


class ChildBook:
    """The work of child processes that a simulation waits for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._jobs = 0
        self._results: list[Any] = []
        self._waited: dict[int, _Waited] = {}

    def hold(self, future: Future[Any]) -> None:
        """Keep time still until another process has done a job."""
        with self._lock:
            self._jobs += 1
        future.add_done_callback(self._release)

    def watch(self, result: Any) -> None:
        """Keep time still until a `multiprocessing.Pool` has a result, or is terminated."""
        with self._lock:
            self._results.append(result)

    def _release(self, _: object) -> None:
        with self._lock:
            self._jobs -= 1

    @contextmanager
    def waited(self, pid: int) -> Iterator[None]:
        """Keep time still as long as a child works, while the context is open."""
        with self._lock:
            if pid in self._waited:
                self._waited[pid].waiters += 1
            else:
                self._waited[pid] = _Waited()
        try:
            yield
        finally:
            with self._lock:
                self._waited[pid].waiters -= 1
                if not self._waited[pid].waiters:
                    del self._waited[pid]

    def left_ns(self) -> int:
        """Return for how many real nanoseconds time must at least stand; 0 where no child works."""
        if not self._jobs and not self._waited and not self._results:
            return 0
        with self._lock:
            self._results = [result for result in self._results if _is_to_come(result)]
            waited = list(self._waited.items())
        if self._jobs or self._results:
            return LOOK_AGAIN_NS
        now = REAL.monotonic_ns()
        for pid, child in waited:
            if now - child.began_ns > PATIENCE_NS:
                continue
            if not _is_idle(pid):
                child.worked_ns = now
            if now - child.worked_ns < IDLE_NS:
                return LOOK_AGAIN_NS
        return 0


def _is_to_come(result: Any) -> bool:
    pool = result._pool
    return not result.ready() and pool is not None and pool._state != "TERMINATE"


def _is_idle(pid: int) -> bool:
    """Tell whether a process, and all that it has started, waits for input; False where nobody can tell."""
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            if not awaits_input((task / "syscall").read_bytes()):
                return False
            if not all(_is_idle(int(child)) for child in (task / "children").read_bytes().split()):
                return False
    except OSError:
        return False
    return True


def _while_it_works(real: Callable[..., Any]) -> Any:
    """Return a coroutine method of asyncio's process that waits for the child in real time."""

    async def method(self: Any, *args: Any, **options: Any) -> Any:
        party = party_of_caller()
        if party is None or self.returncode is not None:
            return await real(self, *args, **options)
        party.note_real_io()
        with party.children.waited(self.pid):
            return await real(self, *args, **options)

    method.__name__ = method.__qualname__ = real.__name__
    method.__doc__ = real.__doc__
    return method


def install_children(patches: Patches, imports: LateImports) -> None:
    """Let waits for children be real ones."""
    process = asyncio.subprocess.Process
    for name in ("wait", "communicate"):
        patches.replace(process, name, _while_it_works(getattr(process, name)))
    for name in _USE_REAL_TIME:
        imports.when_imported(name, lambda name=name: patches.replace(sys.modules[name], "time", REAL))  # type: ignore[misc]  # a default binds the name
    imports.when_imported("concurrent.futures.process", lambda: _hold_for_executors(patches))
    imports.when_imported("multiprocessing.pool", lambda: _hold_for_pools(patches))


def _hold_for_executors(patches: Patches) -> None:
    owner = sys.modules["concurrent.futures.process"].ProcessPoolExecutor
    real: Any = owner.submit

    def submit(self: Any, function: Any, /, *args: Any, **options: Any) -> Any:
        future = real(self, function, *args, **options)
        party = party_of_caller()
        if party is not None:
            party.note_real_io()
            party.children.hold(future)
        return future

    patches.replace(owner, "submit", submit)


def _hold_for_pools(patches: Patches) -> None:
    """Hold time for results of `multiprocessing.Pool`; iterators over them have no end that could be waited for."""
    owner = sys.modules["multiprocessing.pool"].ApplyResult
    real_init: Any = owner.__init__

    def __init__(self: Any, *args: Any, **options: Any) -> None:  # noqa: N807 - it becomes that method
        real_init(self, *args, **options)
        party = party_of_caller()
        if party is not None:
            party.note_real_io()
            party.children.watch(self)

    patches.replace(owner, "__init__", __init__)


def _in_child() -> None:
    """Leave the one thread of a forked process in its copy of the party, and nobody who is not there."""
    party = running_party()
    if party is None:
        return
    party._mutex = threading.Lock()
    own = party.idents.get(threading.get_ident())
    for member in party._members:
        if member.probe is not None:
            member.probe.close()
    party.idents.clear()
    party._members.clear()
    party._leader = None
    party.quiet_from_ns = 0
    party.jobs, party.replies, party.children = JobBook(), ReplyBook(), ChildBook()
    if own is not None:
        own.wait = None
        party._members.append(own)
        party.join(own)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
