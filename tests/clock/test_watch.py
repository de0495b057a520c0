"""Real time that passes inside a simulation is noticed, on evidence that a slow machine does not change."""

import ctypes
import os
import subprocess
import sys
import threading
import time
import types

import pytest

from llmtest import Simulation
from llmtest.clock import virtual_time
from llmtest.clock._alarm import Alarm
from llmtest.clock._real import REAL
from llmtest.clock._threads import _real_start_new_thread
from llmtest.clock._watch import Watch, _watcher
from llmtest.events import RealTimePassed

pytestmark = pytest.mark.skipif(not os.path.exists("/proc/self/schedstat"), reason="needs /proc of Linux")  # noqa: PTH110
FUTEX = f"{202 if os.uname().machine == 'x86_64' else 98} 0x1 0x189 0x0 0x0 0x0 0xffffffff 0x7f 0x7f"
EPOLL = "232 0x3 0x7f 0x1 {} 0x0 0x0 0x7f 0x7f"
x86 = pytest.mark.skipif(os.uname().machine != "x86_64", reason="the numbers of calls are those of x86-64")


def waiting(lock):
    """Wait for a lock, as native code waits: nobody knows for how long."""
    lock.acquire()


def put(folder, call, used):
    """Say of a thread what the system would: its system call, and that it has run so often."""
    folder.mkdir(exist_ok=True)
    (folder / "syscall").write_text(call)
    (folder / "schedstat").write_text(f"1 2 {used}")


def looks(tmp_path, clock, calls, *, before=(), used=2, wait=waiting, between=lambda: None):
    """Look three times at a thread that waits while others do what `calls` say; return what was noticed."""
    noticed = []
    lock = threading._allocate_lock()
    lock.acquire()
    for tid, call in enumerate(before):
        put(tmp_path / str(tid), call, 1)
    watch = Watch(clock._party, lambda seconds, where: noticed.append((seconds, where)), str(tmp_path))
    for tid, call in enumerate(calls):
        put(tmp_path / str(tid), call, used)
    waits = wait.__code__.co_code

    def look():
        while not any(frame.f_code.co_code == waits for frame in sys._current_frames().values()):
            REAL.sleep(0.001)
        for now in (10.0, 10.2, 10.5):
            watch.look(now)
            between()
        lock.release()

    _real_start_new_thread(look, ())
    wait(lock)
    return noticed


@pytest.fixture
def clock():
    """Yield the clock of a simulation."""
    with virtual_time() as clock:
        yield clock


def test_a_wait_that_is_not_virtual_is_noticed(tmp_path, clock):
    """The whole process sleeps and the clock stands: the seconds are told, and the line that waits."""
    line = waiting.__code__.co_firstlineno + 2
    assert looks(tmp_path, clock, [FUTEX, FUTEX]) == [(0.5, f"{os.path.relpath(__file__)}:{line}")]


@pytest.mark.parametrize(
    "calls",
    [
        pytest.param([FUTEX, "running"], id="another-thread-can-run"),
        pytest.param([FUTEX, "0 0x5 0x7f 0x1 0x0 0x0 0x0 0x7f 0x7f"], id="a-file-is-read", marks=x86),
        pytest.param([FUTEX, "61 0x5 0x7f 0x1 0x0 0x0 0x0 0x7f 0x7f"], id="a-child-is-waited-for", marks=x86),
        pytest.param([FUTEX, EPOLL.format("0xffffffff")], id="a-socket-without-a-limit", marks=x86),
        pytest.param([FUTEX, "-1 0x7f 0x7f"], id="a-page-is-loaded"),
    ],
)
def test_waits_of_another_kind_are_no_evidence(tmp_path, clock, calls):
    """Work, files, children and idle servers take real time too, and nobody went by a clock."""
    assert looks(tmp_path, clock, calls) == []


@x86
def test_a_thread_that_has_slept_since_before_is_no_excuse(tmp_path, clock):
    """The worker of pytest-xdist that listens to its master waits in a `read` from the first test to the last."""
    read = "0 0x0 0x7f 0x1 0x0 0x0 0x0 0x7f 0x7f"
    assert [seconds for seconds, _ in looks(tmp_path, clock, [FUTEX, read], before=[FUTEX, read], used=1)] == [0.5]
    assert looks(tmp_path, clock, [FUTEX, read], before=[FUTEX, read], used=2) == []


@x86
def test_a_poll_with_a_limit_is_one(tmp_path, clock):
    """A loop that is not ours waits for its next timer in the selector."""
    assert [seconds for seconds, _ in looks(tmp_path, clock, [EPOLL.format("0xfa0")])] == [0.5]


def test_a_clock_that_moves_is_no_wait(tmp_path, clock):
    """Where virtual time goes on somebody runs, whatever a look has seen."""

    def move():
        clock._ns += 1

    assert looks(tmp_path, clock, [FUTEX], between=move) == []


def test_used_sockets_are_told_by_another_event(tmp_path, clock):
    """A real service answers in real time, which the trace says already."""
    clock.note_real_io("127.0.0.1:6379")
    assert looks(tmp_path, clock, [FUTEX]) == []


def test_a_child_process_is_waited_for_on_purpose(tmp_path, clock):
    """Code of `subprocess` waits for something real."""
    module = types.ModuleType("subprocess")
    exec("def wait(lock):\n    lock.acquire()", vars(module))
    assert looks(tmp_path, clock, [FUTEX], wait=module.wait) == []


def test_where_the_system_tells_nothing_nothing_is_noticed(tmp_path, clock):
    """Without `/proc` there is no evidence, and no guess."""
    assert looks(tmp_path / "absent", clock, []) == []


@pytest.mark.slow
def test_a_native_sleep_is_in_the_trace():
    """A wait in C is an event, with the line that called it."""
    with Simulation() as sim:
        ctypes.CDLL(None).usleep(700_000)
        (event,) = [event for event in sim.trace if isinstance(event, RealTimePassed)]
        assert event.cause == "native_wait"
        assert 0.3 < event.seconds < 60
        assert event.where.startswith(os.path.relpath(__file__))
        assert "s of real time passed in a wait that is not virtual" in sim.trace.render()


FORK = """
import os, threading
from llmtest.clock import virtual_time
from llmtest.clock._alarm import Alarm
with virtual_time(on_real_time=print):
    before = len(os.listdir("/proc/self/task"))
    child = os.fork()
    if not child:
        with_threads = len(os.listdir("/proc/self/task"))
        os._exit(with_threads)
    print(before, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
with virtual_time(on_real_time=print):
    print(len(os.listdir("/proc/self/task")), threading.active_count())
"""


def test_a_process_forks_without_our_thread():
    """Python warns of a fork among threads, and would of ours: it ends before, and begins again with the next one."""
    done = subprocess.run([sys.executable, "-W", "error", "-c", FORK], capture_output=True, text=True, check=False)
    assert (done.stderr, done.stdout.split()) == ("", ["2", "1", "2", "1"])


def test_whoever_reads_the_clock_is_not_looked_at(monkeypatch):
    """A thread that works is seen as working, and looking at it would take its interpreter lock away."""
    put_off = []
    with virtual_time(on_real_time=lambda seconds, where: None):
        monkeypatch.setattr(_watcher, "_alarm", types.SimpleNamespace(put_off=lambda: put_off.append(1)))
        for _ in range(16):
            time.monotonic()
    assert len(put_off) == 2


def test_an_alarm_rings_when_it_is_not_put_off():
    """It rings after its time, or at once where it is told to; put off, it starts anew."""
    alarm = Alarm(0.01)
    alarm.put_off()
    alarm.wait()
    _real_start_new_thread(alarm.ring, ())
    alarm.wait()
    alarm.close()
