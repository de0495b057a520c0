# ruff: noqa: SLF001 - trio has no public way to what is replaced here; tests pin it on every version
"""trio in virtual time: its own interface for clocks, driven by the clock of the simulation.

trio asks its clock how long to wait whenever no task can run. That is where this clock waits among the threads of the
simulation, jumps when it is its turn, and says that it need not wait any more. So `time.time`, asyncio, freezegun and
trio agree at every moment, and a run in which nothing can happen any more is reported.
"""

from __future__ import annotations

import _thread
import asyncio
import select
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from llmtest.clock._clock import NEVER_NS, NS_PER_SECOND, to_ns
from llmtest.clock._names import party_of_caller
from llmtest.clock._real import REAL
from llmtest.clock._stall import stalled_trio_error
from llmtest.errors import HarnessError, SimulationStateError

if TYPE_CHECKING:
    from contextlib import ExitStack

    from llmtest.clock._late_imports import LateImports
    from llmtest.clock._participants import Party
    from llmtest.clock._patches import Patches

_start_real_thread = _thread.start_new_thread
HOST_PATIENCE_S = 1.0
"""Real seconds that whoever hosts trio gets to give it something to do, where no task waits for time."""
PAUSE_S = 0.001
"""The shortest real wait."""


class TrioClock:
    """A `trio.abc.Clock` that reads the clock of a simulation, and moves it when no task can run.

    Args:
        party: The threads of the simulation.
    """

    def __init__(self, party: Party) -> None:
        self._party = party
        self._reached = 0.0
        """The deadline that the clock was moved to, until trio has seen it: a float may be just before it."""
        self._ended_at: float | None = None
        self._idle: tuple[object, float] = (None, 0.0)

    def start_clock(self) -> None:
        """Nothing is to be done: time has begun already."""

    def current_time(self) -> float:
        """Return seconds since the clock's start; once the simulation is over, those and the real ones since then."""
        now = max(self._party.clock.now_ns() / NS_PER_SECOND, self._reached)
        self._reached = 0.0
        if not self._party.is_closed:
            return now
        if self._ended_at is None:
            self._ended_at = REAL.monotonic()
        return now + REAL.monotonic() - self._ended_at

    def deadline_to_sleep_time(self, deadline: float) -> float:
        """Wait until a deadline comes or something else happens, and return the real seconds that are left to wait."""
        party = self._party
        if party.is_closed:
            return deadline - self.current_time()
        runner = _runner()
        if runner.waiting_for_idle:  # somebody waits until all tasks are blocked, which they are: that comes first
            return float("inf")
        clock = party.clock
        ns = to_ns(deadline)
        if ns > clock._ns:
            if ns >= NEVER_NS and runner.is_guest and not self._is_stuck(runner):
                return HOST_PATIENCE_S
            try:
                self._wait(TrioWait(runner, ns))
            except HarnessError as error:
                _raise_in_main_task(runner, error)
                return 0.0
        if ns <= clock._ns:
            self._reached = deadline
        return 0.0

    def _wait(self, wait: TrioWait) -> None:
        party = self._party
        alone = party.solo_ident == threading.get_ident() and threading.active_count() == 1
        if wait.deadline_ns >= NEVER_NS and alone and not party.quiet_from_ns and not wait.busy():
            raise wait.stalled()
        party.hold(wait)

    def _is_stuck(self, runner: Any) -> bool:
        """Tell whether the host of a guest has had time enough, and no task of it has done anything since."""
        steps = len(runner.tasks), sum(task._schedule_points for task in runner.tasks)
        now = REAL.monotonic()
        before, since = self._idle
        if before != steps or not self._party.others_wait():
            self._idle = steps, now
            return False
        return now - since >= HOST_PATIENCE_S / 2


class TrioWait:
    """An idle run of trio among the threads of a simulation.

    Args:
        runner: The run.
        deadline_ns: When it goes on by itself.
    """

    def __init__(self, runner: Any, deadline_ns: int) -> None:
        self.deadline_ns = deadline_ns
        self.due = False
        self.error: HarnessError | None = None
        self.loop: Any = self
        self._runner = runner
        self._selector: Any = getattr(runner.io_manager, "_epoll", None) or getattr(runner.io_manager, "_kqueue", None)

    def block(self, seconds: float | None) -> bool:
        """Wait until trio has something to do, at most so long."""
        if self._selector is None:
            REAL.sleep(PAUSE_S if seconds is None else min(seconds, PAUSE_S))
            return True  # let trio look for itself
        if seconds is not None and 0.0 < seconds < PAUSE_S:
            REAL.sleep(seconds)
            seconds = 0.0
        return self._poll(None if seconds is None else seconds * 1000)

    def _poll(self, ms: float | None) -> bool:
        """Look at the selector from outside, which takes nothing out of it."""
        poll = select.poll()
        poll.register(self._selector.fileno(), select.POLLIN)
        return bool(poll.poll(ms))

    def wake(self) -> None:
        """End `block`; may be called from any thread."""
        self._runner.entry_queue.run_sync_soon(_nothing)

    def busy(self) -> bool:
        """Tell whether trio has something to do."""
        return self._selector is not None and self._poll(0)

    def stalled(self) -> HarnessError:
        """Make and record the report that nothing can go on."""
        return _recorded(stalled_trio_error(self._runner))


def _nothing() -> None:
    """Wake trio up."""


def _runner() -> Any:
    return sys.modules["trio._core._run"].GLOBAL_RUN_CONTEXT.runner


def _recorded(error: HarnessError) -> HarnessError:
    party = party_of_caller()
    if party is not None and party.on_error is not None:
        party.on_error(error)
    return error


def _raise_in_main_task(runner: Any, error: HarnessError) -> None:
    """Raise an error where the main task waits, as trio does Ctrl-C; out of the clock it would be a bug of trio."""
    task = runner.main_task
    if task is None or task._abort_func is None:
        raise error

    def raise_it() -> None:
        raise error

    task._attempt_abort(raise_it)


class _InOrder:
    """What trio asks for chance: tasks of one round run in the order in which they were made."""

    def shuffle(self, batch: list[Any]) -> None:
        """Turn a sorted batch round: trio takes from its end."""
        batch.reverse()

    def random(self) -> float:
        """Return one and the same number."""
        return 0.0

    def uniform(self, low: float, _high: float) -> float:
        """Return the lowest number."""
        return low


class _Worker:
    """An idle worker of trio that is given a job, as the book of jobs sees a pool."""

    def __init__(self, thread: threading.Thread) -> None:
        self._threads = (thread,)


_workers: WeakKeyDictionary[threading.Thread, Any] = WeakKeyDictionary()


def install_trio(stack: ExitStack, patches: Patches, party: Party, imports: LateImports) -> None:
    """Let trio live by the clock of a simulation, once it is imported."""
    imports.when_imported("trio", lambda: _install(stack, patches, party))


def _install(stack: ExitStack, patches: Patches, party: Party) -> None:
    run: Any = sys.modules["trio._core._run"]
    cache: Any = sys.modules["trio._core._thread_cache"]
    real_setup, real_start, real_guest = run.setup_runner, cache.ThreadCache.start_thread_soon, run.start_thread_soon

    def setup_runner(clock: Any, *args: Any, **options: Any) -> Any:
        own = party_of_caller()
        if own is None:
            return real_setup(clock, *args, **options)
        _refuse(clock)
        return real_setup(TrioClock(own), *args, **options)

    def start_thread_soon(self: Any, fn: Callable[[], Any], deliver: Callable[[Any], object], name: Any = None) -> None:
        own, idle = party_of_caller(), next(reversed(self._idle_workers), None)
        if own is None or idle is None:  # a new worker takes part as every thread does that is started
            real_start(self, fn, deliver, name)
            return
        worker = _workers.setdefault(idle._thread, _Worker(idle._thread))
        number = own.queue_job(worker)
        real_start(self, _job(own, worker, number, fn), deliver, name)

    def wait_for_guest(fn: Callable[[], Any], deliver: Callable[[Any], object], name: Any = None) -> None:
        if party_of_caller() is None:
            real_guest(fn, deliver, name)
        else:  # it waits for the sockets of a guest: no work, and nothing that time should wait for
            _start_real_thread(lambda: deliver(run.capture(fn)), ())

    patches.replace(run, "setup_runner", setup_runner)
    patches.replace(run, "start_thread_soon", wait_for_guest)
    patches.replace(run, "_ALLOW_DETERMINISTIC_SCHEDULING", True)
    patches.replace(run, "_r", _InOrder())
    patches.replace(cache.ThreadCache, "start_thread_soon", start_thread_soon)
    stack.callback(_forget_workers, party, cache)


def _refuse(clock: Any) -> None:
    """Raise where trio is to run in a way that cannot follow the simulation.

    Raises:
        SimulationStateError: It has a clock of its own, or an event loop of asyncio for its host.
    """
    if clock is not None:
        raise _recorded(
            SimulationStateError(
                f"`trio.run(clock={type(clock).__name__}(...))` inside a simulation: there can be one clock only, and "
                "that of the simulation jumps by itself.\n"
                "To fix: leave `clock` out, and fixtures that set it."
            )
        )
    if asyncio._get_running_loop() is not None:
        raise _recorded(
            SimulationStateError(
                "trio cannot be the guest of asyncio inside a simulation: each would jump while the other works.\n"
                'To fix: run trio by `trio.run(...)`, or mark the test `@pytest.mark.llm_time("real")`.'
            )
        )


def _job(party: Party, worker: Any, number: int, function: Callable[[], Any]) -> Callable[[], Any]:
    def run() -> Any:
        party.work_for(worker, number)
        try:
            return function()
        finally:
            party.jobs.ended(worker)

    return run


def _forget_workers(party: Party, cache: Any) -> None:
    """Leave nothing behind: an idle worker is trio's, and no test left it running."""
    for worker in tuple(cache.THREAD_CACHE._idle_workers):
        party.born.discard(worker._thread)
