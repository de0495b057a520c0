"""What a thread of this process is doing: running, waiting for a lock, for the network, or for something else.

Virtual time may jump only when nobody works, and a thread that waits for a lock or a queue tells nobody. Linux does:
`/proc/self/task/<tid>/syscall` names the system call a thread sleeps in. A thread that was woken goes on being named
there until a core has taken it up, which an idle core of a virtual machine may do half a millisecond later (state
TASK_WAKING); `stat` next to it says that it runs from the moment it is woken, and is read first. A second look after
the interpreter lock was free tells a thread that waits for it, as its CPU clock has moved by then. Elsewhere the stack
is compared over a few looks, which cannot tell a lock from a socket.
"""

from __future__ import annotations

import os
import threading
import time
from contextlib import suppress
from enum import Enum

from llmtest.clock._frames import current_frames, stack_of
from llmtest.clock._real import REAL

_MACHINE = os.uname().machine if hasattr(os, "uname") else ""

_FUTEX = {"x86_64": b"202", "aarch64": b"98"}.get(_MACHINE, b"")
_READ = {"x86_64": b"0", "aarch64": b"63"}.get(_MACHINE, b"")
_NETWORK = frozenset(
    {
        # read, poll, select, connect, accept, recvfrom, recvmsg, epoll_wait, pselect6, ppoll, epoll_pwait, accept4
        "x86_64": (b"0", b"7", b"23", b"42", b"43", b"45", b"47", b"232", b"270", b"271", b"281", b"288", b"441"),
        "aarch64": (b"63", b"22", b"72", b"73", b"202", b"203", b"207", b"212", b"242", b"441"),
    }.get(_MACHINE, ())
)
_SLEEPS = frozenset({"x86_64": (b"35", b"230"), "aarch64": (b"101", b"115")}.get(_MACHINE, ()))
_TIMEOUT_IN_MS = {"x86_64": {b"7": 3, b"232": 4, b"281": 4}, "aarch64": {b"22": 4}}.get(_MACHINE, {})
"""Where calls that wait for the network have their limit in milliseconds: poll, epoll_wait, epoll_pwait."""
_TIMEOUT_AT = {"x86_64": {b"23": 5, b"270": 5, b"271": 3, b"441": 4}, "aarch64": {b"72": 5, b"73": 3, b"441": 4}}.get(
    _MACHINE, {}
)
"""Where others point at it: select, pselect6, ppoll, epoll_pwait2."""
TIMED_LOCK_NS = 6_000_000
"""A wait with a limit may be one for the interpreter lock, which wakes every 5 ms; this is longer."""
OTHER_NS = 1_000_000_000
"""How long a thread may sleep in some other system call (a child process, a file) before it no longer counts."""
CHILD_NS = 30_000_000_000
"""The same where it waits for a child process by `subprocess`, which may take its time."""
BLIND_NS = 20_000_000
"""How long a stack must stay the same where the system cannot be asked."""
_DEBUGGERS = frozenset({"pdb", "bdb", "cmd", "code", "ipdb", "pudb", "pydevd", "debugpy", "IPython"})


_SUBPROCESS = frozenset({"subprocess"})
_ENDLESS = {
    "x86_64": {
        # read, accept, recvfrom, recvmsg, accept4: always; poll, epoll_wait, epoll_pwait by a number of milliseconds,
        # select, pselect6, ppoll, futex by an address: where the argument says that there is no limit.
        **dict.fromkeys((b"0", b"43", b"45", b"47", b"288"), -1),
        b"7": 2,
        b"232": 3,
        b"281": 3,
        b"23": 4,
        b"270": 4,
        b"271": 2,
        b"202": 3,
    },
    "aarch64": {
        **dict.fromkeys((b"63", b"202", b"207", b"212", b"242"), -1),
        b"22": 3,
        b"72": 4,
        b"73": 2,
        b"98": 3,
    },
}.get(_MACHINE, {})
"""System calls that wait for input, and which argument says for how long."""
_EPOLL = frozenset({"x86_64": (b"232", b"281"), "aarch64": (b"22",)}.get(_MACHINE, ()))
_NO_LIMIT = frozenset({b"0x0", b"0xffffffff", b"0xffffffffffffffff"})


def awaits_input(text: bytes) -> bool:
    """Tell whether a thread waits for somebody else without a limit, from what the system says of it.

    Args:
        text: The content of its file `syscall`.
    """
    call, *arguments = text.split()
    position = _ENDLESS.get(call)
    return position is not None and (position < 0 or arguments[position] in _NO_LIMIT)


def _is_awake(stat: bytes) -> bool:
    """Tell whether a thread runs or has been woken, from the beginning of its file `stat`: number, (name), state."""
    return stat.rpartition(b") ")[2][:1] == b"R"


class Doing(Enum):
    """What a thread is doing."""

    WORK = "work"
    WAIT = "wait"
    NETWORK = "network"
    OTHER = "other"


class ThreadProbe:
    """Watches one thread.

    Args:
        ident: The thread's `get_ident()`.
        tid: The system's number of it.
    """

    def __init__(self, ident: int, tid: int) -> None:
        self.ident = ident
        self.gone = False
        self.is_endless = False
        """Whether it waited without a limit when it was last looked at."""
        self.is_idle_loop = False
        """Whether that was in `epoll`, as event loops wait."""
        self._seen: object = None
        self._since_ns = 0
        self._file = -1
        self._stat_file = -1
        self._cpu_clock: int | None = None
        with suppress(AttributeError, OSError):  # not every system has a clock for each thread
            self._cpu_clock = time.pthread_getcpuclockid(ident)
        if _FUTEX:
            with suppress(OSError):
                self._file = os.open(f"/proc/self/task/{tid}/syscall", os.O_RDONLY | os.O_CLOEXEC)
                self._stat_file = os.open(f"/proc/self/task/{tid}/stat", os.O_RDONLY | os.O_CLOEXEC)
        if self._stat_file < 0:
            self.close()

    def close(self) -> None:
        """Give the files back."""
        for file in (self._file, self._stat_file):
            if file >= 0:
                os.close(file)
        self._file = self._stat_file = -1

    def end(self) -> None:
        """Note, in the thread, that it ends; the system will say when it has, and nobody where it cannot be asked."""
        self.gone = self._file < 0

    def forget(self) -> None:
        """Start counting anew where only the stack is seen: somebody ran, and may have woken this thread."""
        if self._file < 0:
            self._seen = None

    def look(self) -> tuple[Doing, int]:
        """Return what the thread does, and for how many real nanoseconds it has not moved.

        The first look at a new state always says it has just begun: only a later one proves that it lasts.
        """
        if self._file < 0:
            return self._look_at_stack()
        try:
            is_awake = _is_awake(os.pread(self._stat_file, 64, 0))
            text = os.pread(self._file, 200, 0)
            cpu_ns = self._cpu_ns()
        except OSError:
            self.gone = True
            return Doing.WAIT, OTHER_NS
        call, _, rest = text.partition(b" ")
        if is_awake or not rest:
            self._seen = None
            return Doing.WORK, 0
        age = self._age((text, cpu_ns))
        self.is_endless = awaits_input(text)
        self.is_idle_loop = call in _EPOLL
        arguments = rest.split(b" ", 4)
        if call == _FUTEX:
            timed = arguments[3] != b"0x0"
            return Doing.WAIT, age if not timed or age > TIMED_LOCK_NS else 0
        if call == _READ and arguments[0] == b"0x0":
            return Doing.WORK, 0
        return (Doing.NETWORK if call in _NETWORK else Doing.OTHER), age

    def _look_at_stack(self) -> tuple[Doing, int]:
        frame = current_frames().get(self.ident)
        if frame is None or self.gone:
            self.gone = True
            return Doing.WAIT, OTHER_NS
        try:
            age = self._age((id(frame), frame.f_lasti, self._cpu_ns()))
        except OSError:
            self.gone = True
            return Doing.WAIT, OTHER_NS
        return Doing.WAIT, age if age > BLIND_NS else 0

    def _cpu_ns(self) -> int:
        return 0 if self._cpu_clock is None else REAL.clock_gettime_ns(self._cpu_clock)

    def _age(self, seen: object) -> int:
        now = REAL.monotonic_ns()
        if seen != self._seen:
            self._seen = seen
            self._since_ns = now
            return 0
        return max(1, now - self._since_ns)

    def at_a_breakpoint(self) -> bool:
        """Tell whether the thread stands in a debugger or an interactive prompt."""
        return self._is_inside(_DEBUGGERS)

    def waits_for_a_child(self) -> bool:
        """Tell whether the thread waits for a child process."""
        return self._is_inside(_SUBPROCESS)

    def _is_inside(self, modules: frozenset[str]) -> bool:
        names = (str(frame.f_globals.get("__name__", "")) for frame in stack_of(self.ident))
        return any(name.partition(".")[0] in modules for name in names)


def is_unbounded_or_timed(call: bytes) -> bool:
    """Tell whether a system call is a wait that time or another thread ends: a sleep, a lock, a poll.

    A poll without a limit is left out: only the network ends it, or it is one of an idle server.

    Args:
        call: What `/proc/self/task/<tid>/syscall` says.
    """
    words = call.split()
    if not words or len(words) < 7:
        return False
    number = words[0]
    if number == _FUTEX or number in _SLEEPS:
        return True
    if number in _TIMEOUT_IN_MS:
        return int(words[_TIMEOUT_IN_MS[number]], 16) & 0xFFFFFFFF != 0xFFFFFFFF
    return number in _TIMEOUT_AT and words[_TIMEOUT_AT[number]] != b"0x0"


def native_id() -> int:
    """Return the system's number of the calling thread."""
    return threading.get_native_id()
