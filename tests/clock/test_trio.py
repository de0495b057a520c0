"""trio lives by the clock of the simulation, through its own interface for clocks."""

import asyncio
import subprocess
import sys
import threading
import time

import anyio
import anyio.to_thread
import pytest
import trio
import trio.lowlevel
import trio.testing

from llmtest.clock import VirtualClock, virtual_time
from llmtest.clock._real import REAL
from llmtest.errors import SimulationStateError, VirtualTimeLivelockError, VirtualTimeStalledError


@pytest.fixture
def clock():
    """Yield the clock of a simulation that must not take real time."""
    started = REAL.monotonic()
    with virtual_time() as clock:
        yield clock
    assert REAL.monotonic() - started < 5


@pytest.mark.parametrize(
    "run",
    [
        pytest.param(lambda: trio.run(trio.sleep, 3), id="trio"),
        pytest.param(lambda: anyio.run(anyio.sleep, 3, backend="trio"), id="anyio"),
    ],
)
def test_t13_trio_sleeps_in_virtual_time(clock, run):
    """Three seconds pass at once."""
    run()
    assert clock.elapsed() == 3.0


def test_t13_a_thousand_sleeps_are_exact(clock):
    """Deadlines are floats in trio, and whole nanoseconds on the clock."""

    async def main():
        for _ in range(1000):
            await trio.sleep(0.1)
        return trio.current_time()

    assert trio.run(main) == 100.0
    assert clock.elapsed() == 100.0


def test_t13_timeouts_and_nurseries_overlap(clock):
    """Limits pass when they should, and tasks wait at the same time."""
    order = []

    async def one(seconds):
        await trio.sleep(seconds)
        order.append(seconds)

    async def main():
        with trio.move_on_after(5) as scope:
            await trio.sleep(60)
        assert scope.cancelled_caught
        async with trio.open_nursery() as nursery:
            for seconds in (7, 3, 5):
                nursery.start_soon(one, seconds)

    trio.run(main)
    assert order == [3, 5, 7]
    assert clock.elapsed() == 12.0


def test_t13_tasks_run_in_the_order_in_which_they_were_made(clock):
    """What trio leaves to chance on purpose has one order in a simulation."""
    order = []

    async def one(number):
        await trio.sleep(1)
        order.append(number)

    async def main():
        async with trio.open_nursery() as nursery:
            for number in range(20):
                nursery.start_soon(one, number)

    trio.run(main)
    assert order == list(range(20))


def test_t13_threads_of_trio_take_part(clock):
    """Worker threads sleep in virtual time and call back, new ones and ones that trio has kept."""

    def call_back():
        time.sleep(1)
        trio.from_thread.run(trio.sleep, 0.5)
        return "called back"

    async def main():
        with trio.move_on_after(5) as scope:
            await trio.to_thread.run_sync(time.sleep, 3)
            assert await trio.to_thread.run_sync(call_back) == "called back"
        assert not scope.cancelled_caught
        await anyio.to_thread.run_sync(time.sleep, 2)

    trio.run(main)
    assert clock.elapsed() == 6.5
    trio.run(main)
    assert clock.elapsed() == 13.0


def test_t13_trio_and_asyncio_share_the_clock(clock):
    """Two loops in two threads wake in the order of their deadlines."""
    order = []

    async def asyncio_half():
        await asyncio.sleep(4)
        order.append(("asyncio", clock.elapsed()))

    async def trio_half():
        for seconds in (2, 4):
            await trio.sleep(seconds)
            order.append(("trio", clock.elapsed()))

    thread = threading.Thread(target=lambda: asyncio.run(asyncio_half()))
    thread.start()
    trio.run(trio_half)
    thread.join()
    assert order == [("trio", 2.0), ("asyncio", 4.0), ("trio", 6.0)]


def test_t13_the_clock_s_own_methods_work_in_trio(clock):
    """`sleep_async` and `advance_async` wait in trio as they do in asyncio."""
    log = []

    async def worker():
        await clock.sleep_async(5)
        log.append("due")
        await trio.lowlevel.checkpoint()
        log.append("what it caused")
        await trio.sleep(1)
        log.append("too late")

    async def main():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(worker)
            await trio.lowlevel.checkpoint()
            await clock.advance_async(5)
            return list(log)

    assert trio.run(main) == ["due", "what it caused"]
    assert clock.elapsed() == 6.0


def test_waiting_needs_a_loop_of_some_kind():
    """Outside any loop the clock's asynchronous sleep says what asyncio says."""
    coroutine = VirtualClock().sleep_async(1)
    with pytest.raises(RuntimeError, match="no running event loop"):
        coroutine.send(None)


def test_t13_waiting_until_all_tasks_are_blocked_takes_no_time(clock):
    """`wait_all_tasks_blocked` comes before any jump."""

    async def main():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep, 5)
            await trio.testing.wait_all_tasks_blocked()
            return clock.elapsed()

    assert trio.run(main) == 0.0


def test_t13_a_deadlock_is_reported_with_every_blocked_task(monkeypatch):
    """Who waits, for what, and where; raised in the main task, so that trio itself is not blamed."""
    monkeypatch.chdir("/")
    recorded = []

    async def worker(channel):
        await channel.receive()

    async def main():
        _, channel = trio.open_memory_channel(0)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(worker, channel)

    with virtual_time(on_error=recorded.append), pytest.raises(BaseExceptionGroup) as caught:
        trio.run(main)
    (error,) = caught.value.exceptions
    assert type(error) is VirtualTimeStalledError
    assert recorded == [error]
    file, line = __file__.lstrip("/"), worker.__code__.co_firstlineno
    assert str(error) == (
        "every task is waiting, and none of them is waiting for time.\n\n"
        f"  task `main`   awaits NurseryManager.__aexit__()      {file}:{line + 5}\n"
        f"  task `worker` awaits MemoryReceiveChannel.receive()  {file}:{line + 1}\n\n"
        "Virtual time can only jump to a deadline.\n"
        "To fix: add a timeout, or complete what the task waits for."
    )


def test_t13_an_endless_heartbeat_is_a_livelock():
    """The limits of a simulation hold in trio."""

    async def main():
        while True:  # noqa: ASYNC110 - the mistake under test
            await trio.sleep(10)

    with virtual_time(elapsed_max=100.0) as clock, pytest.raises(VirtualTimeLivelockError, match="its limit of 100 s"):
        trio.run(main)
    assert clock.elapsed() <= 110.0


def test_t13_another_clock_is_refused(clock):
    """Trio's own virtual clock and ours cannot both be right."""
    with pytest.raises(SimulationStateError) as caught:
        trio.run(trio.sleep, 3, clock=trio.testing.MockClock(autojump_threshold=0))
    assert str(caught.value) == (
        "`trio.run(clock=MockClock(...))` inside a simulation: there can be one clock only, and that of the simulation "
        "jumps by itself.\n"
        "To fix: leave `clock` out, and fixtures that set it."
    )


def test_t13_a_guest_of_asyncio_is_refused(clock):
    """Two loops that take turns in one thread would jump over each other."""

    async def main():
        loop = asyncio.get_running_loop()
        trio.lowlevel.start_guest_run(
            trio.sleep, 3, run_sync_soon_threadsafe=loop.call_soon_threadsafe, done_callback=print
        )

    with pytest.raises(SimulationStateError, match="trio cannot be the guest of asyncio"):
        asyncio.run(main())


LATE = """
import threading, time
from llmtest.clock import virtual_time
with virtual_time() as clock:
    import trio
    trio.run(trio.sleep, 3)
    print(clock.elapsed())

ready = threading.Event()
async def outlive():
    ready.set()
    await trio.sleep(3600.01)
with virtual_time() as clock:
    thread = threading.Thread(target=trio.run, args=(outlive,))
    thread.start()
    ready.wait()
    time.sleep(3600)
thread.join(10)
print(thread.is_alive(), clock.elapsed())
started = time.monotonic()
trio.run(trio.sleep, 0.02)
print(time.monotonic() - started >= 0.02)
"""


def test_t13_trio_imported_inside_rides_along_and_is_real_afterwards():
    """A late import changes nothing; a run that outlives its simulation goes on in real time."""
    done = subprocess.run([sys.executable, "-c", LATE], capture_output=True, text=True, check=False, timeout=60)
    assert done.stderr == ""
    assert done.stdout.splitlines() == ["3.0", "False 3600.0", "True"]
