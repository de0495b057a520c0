# ruff: noqa: SLF001 - the watch, the party and the loop are one machine
"""Noticing real time: a wait by a clock that is not ours, in native code or on a thread that no simulation knows.

Nobody in a simulation can notice it: whoever waits like that does not run. So a thread of our own looks ten times a
second, in real time, unless the simulation reads its clock: then somebody works, and is not disturbed. What it takes
for evidence does not depend on how fast the machine is: at several looks in a row every thread of the process sleeps in
a system call, none has used its processor in between, the clock stands, and one thread of the simulation is in a wait
that only real time or a stranger can end, none of ours. Whoever can run but does not get to is seen as running. Files,
child processes, debuggers and used sockets are no waits of that kind.

It needs `/proc` and `timerfd` of Linux, sees no wait that is shorter than `NOTICED_S`, and no library that reads
another clock and does not wait.
"""

from __future__ import annotations

import _thread
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import TYPE_CHECKING

from llmtest.clock._frames import callers, current_frames, stack_of
from llmtest.clock._loop import VirtualTimeLoop
from llmtest.clock._names import REAL_CALLERS
from llmtest.clock._real import REAL
from llmtest.clock._stall import short_path
from llmtest.clock._thread_state import is_unbounded_or_timed

if TYPE_CHECKING:
    from llmtest.clock._alarm import Alarm
    from llmtest.clock._member import Participant
    from llmtest.clock._participants import Party

_start_real_thread = _thread.start_new_thread
_allocate_lock = _thread.allocate_lock
LOOK_S = 0.1
NOTICED_S = 0.35
"""Real seconds of sleep of the whole process that are noticed."""

Notice = Callable[[float, str | None], None]
"""Told how many real seconds have passed, again and again as they grow, and where the wait is; a new wait begins at
the shortest."""


class Watch:
    """Looks at the threads of one simulation.

    Args:
        party: The threads.
        on_real_time: Called when real time has passed.
        task_dir: Where the system tells of threads.
    """

    def __init__(self, party: Party, on_real_time: Notice, task_dir: str = "/proc/self/task") -> None:
        self._party = party
        self._on_real_time = on_real_time
        self._task_dir = task_dir
        self._seen: object = None
        self._since = 0.0
        self._before = self._calls()

    def look(self, now: float) -> None:
        """Look once.

        Args:
            now: Real seconds, by a clock that never goes back.
        """
        state, where = self._state()
        if state is None or state != self._seen:
            self._seen, self._since = state, now
        elif now - self._since >= NOTICED_S:
            self._on_real_time(now - self._since, where)

    def _state(self) -> tuple[object, str | None]:
        """Return what cannot change while all sleep, and where a wait is that is not ours; None if there is none."""
        party = self._party
        members = [member for member in tuple(party._members) if member.ident and member.wait is None]
        waiting = [member for member in members if not _is_ours(member)]
        if not waiting or party.quiet_from_ns or party.jobs.are_queued:
            return None, None
        frames = current_frames()
        if any(_is_real_caller(frames.get(member.ident)) for member in members):
            return None, None
        asleep = self._asleep()
        if asleep is None:
            return None, None
        return (party.clock._ns, asleep), _place(frames.get(waiting[0].ident))

    def _asleep(self) -> object:
        """Return in which system calls the threads of the process sleep, and what they have used; None if one runs."""
        calls = self._calls()
        for tid, state in calls.items():
            if not is_unbounded_or_timed(state[0]) and state != self._before.get(tid):
                return None
        return tuple(calls.items()) or None

    def _calls(self) -> dict[str, tuple[bytes, bytes]]:
        """Return of every other thread in which system call it is, and what it has used; nothing where nobody tells."""
        calls = {}
        own = threading.get_native_id()
        try:
            for tid in os.listdir(self._task_dir):  # noqa: PTH208 - see below
                if int(tid) == own:
                    continue
                with open(f"{self._task_dir}/{tid}/syscall", "rb") as file:  # noqa: PTH123 - read ten times a second
                    call = file.read(200)
                with open(f"{self._task_dir}/{tid}/schedstat", "rb") as file:  # noqa: PTH123 - as above
                    calls[tid] = call, file.read(100)
        except (OSError, ValueError):  # a thread has ended, or this is no Linux
            return {}
        return calls


def _is_ours(member: Participant) -> bool:
    """Tell whether a thread is in the selector of a virtual loop, which waits for what is outside on purpose."""
    return any(frame.f_code is VirtualTimeLoop.take_events.__code__ for frame in stack_of(member.ident)[:4])


def _is_real_caller(frame: FrameType | None) -> bool:
    """Tell whether a thread waits for a child process, or for a person."""
    return any(str(each.f_globals.get("__name__")).partition(".")[0] in REAL_CALLERS for each in callers(frame))


def _place(frame: FrameType | None) -> str | None:
    return None if frame is None else f"{short_path(frame.f_code.co_filename)}:{frame.f_lineno}"


class _Watcher:
    """The thread that looks: one for the process, asleep while no simulation runs, and gone while it forks."""

    def __init__(self) -> None:
        self._mutex = _allocate_lock()
        self._bell = _allocate_lock()
        self._bell.acquire()
        self._watch: Watch | None = None
        self._alarm: Alarm | None = None
        self._gone = _allocate_lock()
        self._stopping = False
        self._parked = False
        self._pid = 0

    def begin(self, watch: Watch) -> None:
        """Look at a simulation from now on."""
        with self._mutex:
            self._watch = watch
            if self._pid != os.getpid():
                self._start()
            elif self._parked:
                self._ring()

    def _start(self) -> None:
        try:
            from llmtest.clock._alarm import Alarm

            alarm = Alarm(LOOK_S)
        except (ImportError, OSError):
            return
        self._pid, self._stopping, self._parked = os.getpid(), False, False
        self._bell, self._gone = _allocate_lock(), _allocate_lock()
        self._bell.acquire()
        self._gone.acquire()
        self._alarm = alarm
        _start_real_thread(self._run, (self._bell, self._gone, alarm))

    def end(self) -> None:
        """Look at nothing."""
        with self._mutex:
            self._watch = None

    def put_off(self) -> None:
        """Look later: somebody works."""
        if (alarm := self._alarm) is not None:
            alarm.put_off()

    def stop(self) -> None:
        """End the thread, before the process forks: a child of many threads may hang, and Python warns of it."""
        with self._mutex:
            if self._pid != os.getpid():
                return
            self._pid, self._stopping = 0, True
            alarm, self._alarm = self._alarm, None
            self._ring()
            if alarm is not None:
                alarm.ring()
        self._gone.acquire(timeout=1.0)

    def _ring(self) -> None:
        self._parked = False
        with suppress(RuntimeError):
            self._bell.release()

    def _run(  # pragma: no cover - it is not traced
        self, bell: _thread.LockType, gone: _thread.LockType, alarm: Alarm
    ) -> None:
        while not self._stopping:
            if self._watch is None:
                self._parked = True
                if self._watch is None:  # else one has begun since, and has not seen that it must ring
                    bell.acquire()
            else:
                alarm.wait()
                if (watch := self._watch) is not None:
                    watch.look(REAL.monotonic())
        alarm.close()
        gone.release()


_watcher = _Watcher()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_watcher.stop)


def watch(party: Party, on_real_time: Notice) -> Callable[[], None]:
    """Tell when real time passes in a simulation; returns what ends that.

    Args:
        party: Its threads.
        on_real_time: Called in a thread of our own.
    """
    _watcher.begin(Watch(party, on_real_time))
    party.readings.now_and_then = _watcher.put_off
    return _watcher.end
