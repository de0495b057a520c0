"""Who takes part: threads started by a participant, and pool threads from the moment they work for one.

Waits with a time limit on conditions, events, queues and futures end by the virtual clock as well.
"""

from __future__ import annotations

import _thread
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from llmtest.clock._clock import to_ns
from llmtest.clock._locks import install_locks, release_joiners
from llmtest.clock._names import also_by_name, called_by_a_real_caller, party_of_caller
from llmtest.clock._outlived import end_of_bare_thread, end_of_job
from llmtest.clock._participants import Party
from llmtest.clock._waits import ThreadWait

if TYPE_CHECKING:
    from llmtest.clock._patches import Patches

_real_start = threading.Thread.start
_real_bootstrap = threading.Thread._bootstrap  # type: ignore[attr-defined]  # noqa: SLF001 - where a thread begins
_real_wait = threading.Condition.wait
_real_start_new_thread = _thread.start_new_thread
_real_submit = ThreadPoolExecutor.submit


def _start(self: threading.Thread) -> None:
    """Start the thread; it takes part if the starting one does."""
    party = party_of_caller()
    if party is None:
        _real_start(self)
        return
    member = party.invite()
    self._llmtest_membership = (party, member)  # type: ignore[attr-defined]  # read by `_bootstrap`, in the new thread
    self._llmtest_joiners = deque()  # type: ignore[attr-defined]  # taken away at its end, by `release_joiners`
    try:
        _real_start(self)
    except BaseException:
        party.dismiss(member)
        raise
    party.born.add(self)


def _bootstrap(self: threading.Thread) -> None:  # pragma: no cover - a new thread is traced from `_real_bootstrap` on
    """Run the thread, as a member from its first instruction to its last."""
    party, member = self.__dict__.pop("_llmtest_membership", (None, None))
    if party is None:
        _real_bootstrap(self)
        return
    party.join(member)
    run = self.run

    def run_in_turn() -> None:
        self.__dict__.pop("run", None)
        party.take_turn()
        run()

    self.run = run_in_turn  # type: ignore[method-assign]  # for this one call: after `start` has returned to its caller
    try:
        _real_bootstrap(self)
    finally:
        party.leave(member)
        release_joiners(self)


def _start_new_thread(function: Callable[..., object], args: tuple[Any, ...], kwargs: Any = None, /) -> int:
    """Start a thread without an object for it; it takes part if the starting one does."""
    party = party_of_caller()
    options = {} if kwargs is None else kwargs
    if party is None:
        return _real_start_new_thread(function, args, options)
    member = party.invite()

    def run(*args: Any, **options: Any) -> None:  # pragma: no cover - such a thread is not traced
        party.join(member)
        party.bare.add(threading.get_ident())
        try:
            party.take_turn()
            function(*args, **options)
        finally:
            party.bare.discard(threading.get_ident())
            end_of_bare_thread()
            party.leave(member)

    try:
        return _real_start_new_thread(run, args, options)
    except BaseException:
        party.dismiss(member)
        raise


def _wait(self: Any, timeout: float | None = None) -> bool:
    """Wait until notified, or until the time limit; in virtual time where the thread takes part in a simulation."""
    party = party_of_caller()
    if party is None or timeout is None or timeout <= 0 or called_by_a_real_caller(2, frames=3):
        return _real_wait(self, timeout)
    if not self._is_owned():
        raise RuntimeError("cannot wait on un-acquired lock")
    wait = ThreadWait(party.clock.now_ns() + to_ns(timeout))
    self._waiters.append(wait)
    saved = self._release_save()
    try:
        with party.strangers.waited(self, timeout):
            party.hold(wait)
    finally:
        self._acquire_restore(saved)
        if not wait.notified:
            with suppress(ValueError):
                self._waiters.remove(wait)
    return wait.notified


def _submit(self: ThreadPoolExecutor, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
    """Submit a job; the worker that takes it takes part in the submitter's simulation."""
    party = party_of_caller()
    if party is None:
        return _real_submit(self, fn, *args, **kwargs)
    job = _Job(party, self, fn)
    future = _real_submit(self, job, *args, **kwargs)
    future.add_done_callback(job.finished)
    return future


class _Job:
    """A call on its way through a thread pool."""

    def __init__(self, party: Party, executor: ThreadPoolExecutor, function: Callable[..., Any]) -> None:
        self._party = party
        self._executor = executor
        self._function = function
        self._started = False
        self._number = party.queue_job(executor)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self._started = True
        self._party.work_for(self._executor, self._number)
        try:
            return self._function(*args, **kwargs)
        finally:
            self._party.jobs.ended(self._executor)
            end_of_job()

    def finished(self, _: Future[Any]) -> None:
        """Take note of a job that was cancelled before any worker took it."""
        if not self._started:
            self._party.cancel_job(self._executor)


def install_threads(patches: Patches) -> None:
    """Put the replacements in place."""
    patches.replace(threading.Thread, "start", _start)
    patches.replace(threading.Thread, "_bootstrap", _bootstrap)
    patches.replace(threading.Condition, "wait", _wait)
    patches.replace(ThreadPoolExecutor, "submit", _submit)
    for name in ("start_new_thread", "start_new"):
        patches.replace(_thread, name, _start_new_thread)
    install_locks(patches)


also_by_name(_real_start_new_thread, _start_new_thread)
