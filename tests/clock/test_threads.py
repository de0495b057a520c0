"""Threads of a simulation wait together: sleeps overlap, work holds time still, strangers are not touched."""

import _thread
import asyncio
import queue
import sys
import threading
import time
import types
import unittest
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import anyio
import anyio.to_thread
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from llmtest.clock import SystemClock, active_clock, virtual_time
from llmtest.clock._real import REAL
from llmtest.errors import VirtualTimeLivelockError, VirtualTimeStalledError


@contextmanager
def at_most_real(seconds):
    """Fail if the block takes longer than so many real seconds."""
    start = REAL.monotonic()
    yield
    assert REAL.monotonic() - start < seconds


@pytest.fixture
def clock():
    """A clock that the test's thread lives by."""
    with virtual_time() as clock:
        yield clock


def start(target, *args):
    """Start a thread."""
    thread = threading.Thread(target=target, args=args, daemon=True)
    thread.start()
    return thread


def test_two_threads_that_sleep_thirty_seconds_end_at_thirty(clock):
    """Sleeps of different threads overlap."""
    threads = [start(time.sleep, 30), start(time.sleep, 30)]
    for thread in threads:
        thread.join()
    assert clock.elapsed() == 30.0


def test_threads_take_turns_in_the_order_of_their_deadlines_and_births(clock):
    """The log is the same in every run, whatever the machine does."""
    log = []

    def worker(name, step):
        for _ in range(3):
            time.sleep(step)
            log.append((clock.elapsed(), name))

    threads = [start(worker, "a", 2), start(worker, "b", 3), start(worker, "c", 2)]
    for thread in threads:
        thread.join()
    assert log == [
        (2.0, "a"),
        (2.0, "c"),
        (3.0, "b"),
        (4.0, "a"),
        (4.0, "c"),
        (6.0, "a"),
        (6.0, "b"),
        (6.0, "c"),
        (9.0, "b"),
    ]


def test_a_pool_of_eight_sleeps_in_rounds(clock):
    """Sixteen jobs of ten seconds on eight workers take twenty."""
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(time.sleep, [10] * 16))
    assert clock.elapsed() == 20.0


def test_a_job_that_was_cancelled_in_the_queue_does_not_hold_time(clock):
    """Nobody waits for a job that will never start."""
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(time.sleep, 10)
        second = pool.submit(time.sleep, 10)
        assert second.cancel()
        first.result()
    assert clock.elapsed() == 10.0


def test_a_pool_from_before_works_in_virtual_time_for_a_participant():
    """A module's own pool outlives tests; what counts is for whom it works."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(int).result()
        for _ in range(2):
            with virtual_time() as clock, at_most_real(5):
                pool.submit(time.sleep, 30).result()
                assert clock.elapsed() == 30.0
        assert isinstance(pool.submit(active_clock).result(), SystemClock)


def test_the_main_thread_and_a_loop_in_another_share_time(clock):
    """A loop in a thread and a sleeping main thread meet at the same instants."""
    log = []

    async def ticker():
        for _ in range(3):
            await asyncio.sleep(10)
            log.append(("loop", clock.elapsed()))

    thread = start(asyncio.run, ticker())
    for _ in range(2):
        time.sleep(15)
        log.append(("main", clock.elapsed()))
    thread.join()
    assert sorted(log, key=lambda entry: entry[1])[:4] == [
        ("loop", 10.0),
        ("main", 15.0),
        ("loop", 20.0),
        *[entry for entry in log if entry[1] == 30.0][:1],
    ]
    assert clock.elapsed() == 30.0


def test_a_sleep_in_a_worker_thread_of_asyncio_is_virtual(clock):
    """`asyncio.to_thread(time.sleep)` overlaps with what the loop waits for."""

    async def main():
        async with asyncio.timeout(8):
            await asyncio.gather(asyncio.to_thread(time.sleep, 7), asyncio.to_thread(time.sleep, 5), asyncio.sleep(6))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.to_thread(time.sleep, 10), 3)

    asyncio.run(main())
    assert clock.elapsed() == 17.0


def test_a_sleep_in_a_worker_thread_of_anyio_is_virtual(clock):
    """It keeps threads of its own."""

    async def main():
        async with anyio.create_task_group() as group:
            for _ in range(3):
                group.start_soon(anyio.to_thread.run_sync, time.sleep, 10)
        with anyio.move_on_after(3):
            await anyio.to_thread.run_sync(time.sleep, 10, abandon_on_cancel=True)
        return clock.elapsed()

    assert anyio.run(main) == 13.0


def test_work_in_a_thread_holds_time_still(clock):
    """A timeout does not fire while a thread computes."""

    async def main():
        async with asyncio.timeout(0.001):
            return await asyncio.to_thread(sum, range(1_000_000))

    assert asyncio.run(main()) == 499999500000
    assert clock.elapsed() == 0.0


def test_a_wait_for_a_lock_does_not_hold_time_still(clock):
    """A thread that waits for another one is not at work."""
    lock, held = threading.Lock(), threading.Event()
    log = []

    def holder():
        with lock:
            held.set()
            time.sleep(20)
            log.append("released")

    thread = start(holder)
    held.wait()
    with lock:
        log.append("acquired")
    thread.join()
    assert log == ["released", "acquired"]
    assert clock.elapsed() == 20.0


def test_waits_with_a_limit_end_by_the_virtual_clock(clock):
    """Events, queues and futures time out in virtual time, or earlier when they are served."""
    event = threading.Event()
    with at_most_real(3):
        assert not event.wait(50)
        assert clock.elapsed() == 50.0
        start(lambda: (time.sleep(3), event.set()))
        assert event.wait(50)
        assert clock.elapsed() == 53.0
        with pytest.raises(queue.Empty):
            queue.Queue().get(timeout=7)
        with ThreadPoolExecutor(1) as pool:
            future = pool.submit(time.sleep, 60)
            with pytest.raises(TimeoutError):
                future.result(timeout=10)
            assert clock.elapsed() == 70.0
    assert clock.elapsed() == 120.0


def test_a_condition_must_be_owned_to_be_waited_for(clock):
    """The replaced wait keeps the contract of the original."""
    with pytest.raises(RuntimeError, match="cannot wait on un-acquired lock"):
        threading.Condition().wait(5)


def test_a_thread_from_before_keeps_real_time():
    """A debugger or exporter that polls beside the test sees the real clock and really sleeps."""
    readings = queue.Queue()
    go, stop = threading.Event(), threading.Event()

    def poll():
        go.wait()
        while not stop.is_set():
            readings.put((time.time(), time.monotonic(), isinstance(active_clock(), SystemClock)))
            time.sleep(0.001)

    thread = start(poll)
    real = REAL.time()
    with virtual_time() as clock:
        go.set()
        wall, monotonic, system = readings.get()
        readings.get()
        time.sleep(1000)
        assert clock.elapsed() == 1000.0
        assert system
        assert abs(wall - real) < 5
        assert abs(monotonic - REAL.monotonic()) < 5
        stop.set()
        thread.join()


def test_a_thread_that_outlives_the_simulation_goes_on_in_real_time():
    """A background thread in a virtual sleep is let go at the end."""
    woken = queue.Queue()

    def background():
        time.sleep(10_000)
        woken.put(time.time())

    with virtual_time():
        thread = start(background)
        time.sleep(1)
    assert abs(woken.get(timeout=5) - REAL.time()) < 5
    thread.join()


def test_a_loop_that_outlives_the_simulation_does_not_run_away():
    """A server loop in a daemon thread waits in real time from then on."""
    ticks = []
    stop = threading.Event()

    async def server():
        while not stop.is_set():
            ticks.append(1)
            await asyncio.sleep(0.02)

    with virtual_time():
        thread = start(asyncio.run, server())
        time.sleep(1)
    after = len(ticks)
    REAL.sleep(0.1)
    stop.set()
    thread.join()
    assert after >= 50
    assert len(ticks) - after < 20


def test_a_background_sleeper_cannot_run_away_while_everybody_else_waits_for_ever():
    """A limit ends it, and is reported."""
    reported = []
    with virtual_time(jumps_max=50, on_error=reported.append):
        failed = []

        def background():
            try:
                while True:
                    time.sleep(60)
            except VirtualTimeLivelockError as error:
                failed.append(error)

        start(background).join()
    assert reported == failed
    assert str(failed[0]) == (
        "the threads of this simulation do not come to an end: virtual time has jumped 50 times.\n"
        "This usually means a thread sleeps in a loop while the others wait for it.\n"
        "To fix: end the loop, or give the wait a timeout."
    )


def test_waiting_by_reading_the_clock_is_a_livelock(monkeypatch, clock):
    """A busy loop can never see virtual time pass."""
    monkeypatch.setattr("llmtest.clock._readings.READS_MAX", 1000)
    with pytest.raises(VirtualTimeLivelockError, match="read 1,000 times and more at one instant, t=0 s"):  # noqa: PT012 - a loop
        while time.monotonic() < time.monotonic() + 1:
            pass


def test_a_stall_among_threads_is_reported_in_the_main_loop(monkeypatch):
    """Idle worker threads do not hide a deadlock, and it is recorded before it is raised."""
    monkeypatch.setattr("llmtest.clock._participants.STALL_PATIENCE_S", 0.02)
    reported = []

    async def main():
        await asyncio.to_thread(int)
        await asyncio.Event().wait()

    with virtual_time(on_error=reported.append), at_most_real(4), pytest.raises(VirtualTimeStalledError) as caught:
        asyncio.run(main())
    assert reported == [caught.value]
    assert "task `Task-1` awaits Event.wait()" in str(caught.value)


app = FastAPI()


@app.get("/async")
async def sleep_async():
    """Sleep in the loop."""
    await asyncio.sleep(30)
    return active_clock().elapsed()


@app.get("/sync")
def sleep_sync():
    """Sleep in a worker thread."""
    time.sleep(30)
    return active_clock().elapsed()


@app.get("/limited")
async def limited():
    """Give up."""
    async with asyncio.timeout(5):
        await asyncio.to_thread(time.sleep, 30)


def test_a_fastapi_app_under_its_test_client_runs_in_virtual_time(clock):
    """The client's loop lives in another thread, and synchronous endpoints in a third one."""
    with at_most_real(5), TestClient(app) as client:
        assert client.get("/async").json() == 30.0
        assert client.get("/sync").json() == 60.0
        with pytest.raises(TimeoutError):
            client.get("/limited")
    assert clock.elapsed() == 90.0  # the abandoned worker is joined when the client closes
    assert TestClient(app).get("/sync").json() == 120.0


def test_spinning_for_a_new_thread_is_not_the_end(clock, monkeypatch):
    """A thread that gets no turn, as the one that started it never waits, takes it after a moment."""
    monkeypatch.setattr("llmtest.clock._participants.TURN_PATIENCE_S", 0.01)
    done = []
    thread = start(done.append, 1)
    while not done:
        pass
    thread.join()
    assert clock.elapsed() == 0.0


def test_a_thread_that_cannot_be_started_is_not_waited_for(clock):
    """A second start is refused, and the party forgets it."""
    thread = start(int)
    thread.join()
    with pytest.raises(RuntimeError, match="threads can only be started once"):
        thread.start()
    start(time.sleep, 5).join()
    assert clock.elapsed() == 5.0


@pytest.mark.slow
def test_where_the_system_cannot_be_asked_stacks_are_compared(monkeypatch):
    """Without Linux's view of threads they still wait together."""
    monkeypatch.setattr("llmtest.clock._thread_state._FUTEX", b"")
    monkeypatch.setattr("llmtest.clock._thread_state.BLIND_NS", 100_000_000)
    with virtual_time() as clock:
        lock = threading.Lock()

        def worker():
            with lock:
                time.sleep(10)

        threads = [start(worker), start(worker), start(time.sleep, 15)]
        for thread in threads:
            thread.join()
        assert clock.elapsed() == 20.0
        assert asyncio.run(asyncio.to_thread(sum, range(100_000))) == 4999950000
        assert clock.elapsed() == 20.0


def test_a_unittest_case_runs_in_virtual_time(clock):
    """The standard library's own asynchronous test case makes a virtual loop, in debug mode."""

    class Case(unittest.IsolatedAsyncioTestCase):
        async def asyncSetUp(self):
            await asyncio.sleep(5)

        async def test_sleeping(self):
            async with asyncio.timeout(40):
                await asyncio.to_thread(time.sleep, 30)

    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromTestCase(Case).run(result)
    assert (result.testsRun, result.errors, result.failures) == (1, [], [])
    assert clock.elapsed() == 35.0


@pytest.mark.parametrize("name", ["Lock", "RLock"])
def test_t34_a_lock_is_waited_for_in_virtual_time(clock, name):
    """A limit of 2.5 s on a lock that is held for 10 s ends at 2.5; one of 20 s gets it at 10."""
    lock, log, held = getattr(threading, name)(), [], threading.Event()

    def holder():
        with lock:
            held.set()
            time.sleep(10)

    with at_most_real(2):
        thread = start(holder)
        held.wait()
        log.append((lock.acquire(timeout=2.5), clock.elapsed()))
        log.append((lock.acquire(blocking=False), clock.elapsed()))
        log.append((lock.acquire(timeout=20), clock.elapsed()))
        lock.release()
        thread.join()
    assert log == [(False, 2.5), (False, 2.5), (True, 10.0)]
    with lock:
        assert lock.acquire(timeout=0) is (name == "RLock")


def test_a_thread_that_was_just_woken_is_not_taken_for_one_that_waits():
    """A core that idles takes up to half a millisecond to run it; whoever woke it must not move time meanwhile."""
    seen = []
    for _ in range(100):
        with virtual_time() as clock:
            bell = threading.Event()
            thread = start(lambda bell=bell: (bell.set(), time.sleep(10)))
            bell.wait()
            seen.append(clock.elapsed())
            thread.join()
    assert seen == [0.0] * 100


def test_t34_a_lock_imported_by_name_is_virtual_too():
    """`from threading import Lock` at the top of a module is how most code has it."""
    module = types.ModuleType("some_application")
    exec("from threading import Lock, RLock\nfrom queue import SimpleQueue\ndef make(): return Lock()", vars(module))
    sys.modules["some_application"] = module
    try:
        with virtual_time() as clock:
            lock = module.make()
            assert lock.acquire(timeout=5)
            assert not lock.acquire(timeout=5)
            assert lock.locked()
            assert isinstance(lock, type(module.make()))
            assert "locked" in repr(lock)
            assert clock.elapsed() == 5.0
        assert module.Lock is threading.Lock
    finally:
        del sys.modules["some_application"]


def test_t34_several_wait_for_one_lock(clock):
    """Each release lets one of them go on, in the order in which they came."""
    lock, log = threading.Lock(), []

    def worker(name):
        got = lock.acquire(timeout=25)
        log.append((name, got, clock.elapsed()))
        if got:
            time.sleep(10)
            lock.release()

    threads = []
    for name in "abcd":
        threads.append(start(worker, name))
        time.sleep(1)
    for thread in threads:
        thread.join()
    assert log == [("a", True, 0.0), ("b", True, 10.0), ("c", True, 20.0), ("d", False, 28.0)]


def test_t34_a_condition_on_a_lock_of_the_simulation_works(clock):
    """Conditions take locks of either kind apart and put them together again."""
    for make in (threading.Lock, threading.RLock):
        condition, woken = threading.Condition(make()), []

        def waiter(condition=condition, woken=woken):
            with condition:
                woken.append(condition.wait(timeout=30))

        thread = start(waiter)
        time.sleep(3)
        with condition:
            condition.notify()
        thread.join()
        assert woken == [True]
    assert clock.elapsed() == 6.0


def test_t34_the_end_of_a_thread_is_waited_for_in_virtual_time(clock):
    """`join(timeout=2)` on a thread that sleeps 10 s returns at 2, `join(timeout=20)` at 10."""
    with at_most_real(2):
        thread = start(time.sleep, 10)
        thread.join(timeout=2)
        assert (clock.elapsed(), thread.is_alive()) == (2.0, True)
        thread.join(timeout=20)
        assert (clock.elapsed(), thread.is_alive()) == (10.0, False)
        thread.join(timeout=20)
        assert clock.elapsed() == 10.0
        with pytest.raises(RuntimeError, match="cannot join current thread"):
            threading.current_thread().join(timeout=1)
        with pytest.raises(RuntimeError, match="cannot join thread before it is started"):
            threading.Thread().join(timeout=1)


def test_t34_semaphores_barriers_and_simple_queues_wait_in_virtual_time(clock):
    """Whatever waits with a limit in Python code does."""
    with at_most_real(3):
        semaphore = threading.Semaphore(0)
        assert not semaphore.acquire(timeout=5)
        with pytest.raises(threading.BrokenBarrierError):
            threading.Barrier(2).wait(timeout=5)
        with pytest.raises(queue.Empty):
            queue.SimpleQueue().get(timeout=5)
        assert clock.elapsed() == 15.0
        jobs = queue.SimpleQueue()
        start(lambda: (time.sleep(2), jobs.put("job")))
        assert jobs.get(timeout=5) == "job"
        assert clock.elapsed() == 17.0


def test_t34_locks_of_a_thread_from_before_wait_in_real_time():
    """Strangers get the machine's own locks, and a lock of the simulation keeps their limit as it is."""
    found = []
    go, lock_made = threading.Event(), threading.Event()
    shared = []

    def stranger():
        go.wait(10)
        found.append(type(threading.Lock()))
        lock_made.wait(10)
        began = REAL.monotonic()
        found.append(shared[0].acquire(timeout=0.05))
        found.append(REAL.monotonic() - began >= 0.04)

    thread = start(stranger)
    plain = type(threading.Lock())
    with virtual_time():
        go.set()
        shared.append(threading.Lock())
        shared[0].acquire()
        lock_made.set()
        thread.join()
    assert found == [plain, False, True]


def test_t46_a_thread_without_an_object_takes_part(clock):
    """`_thread.start_new_thread` makes a thread of the simulation as `Thread.start` does."""
    done, seen = threading.Event(), []

    def work(seconds, *, label):
        time.sleep(seconds)
        seen.append((label, clock.elapsed(), isinstance(active_clock(), SystemClock)))
        done.set()

    _thread.start_new_thread(work, (30,), {"label": "a"})
    assert done.wait(60)
    assert seen == [("a", 30.0, False)]
    with pytest.raises(TypeError):
        _thread.start_new_thread(work, "no tuple")
    time.sleep(5)
    assert clock.elapsed() == 35.0


@pytest.mark.parametrize("how", ["asyncio", "anyio", "pool"])
def test_t43_jobs_run_in_the_order_in_which_they_were_submitted(clock, monkeypatch, how):
    """A machine that has no time for this process does not change the order: patience is counted in CPU time."""
    monkeypatch.setattr("llmtest.clock._participants.TURN_PATIENCE_S", 0.1)
    log = []

    def job(number):
        REAL.sleep(0.01 * (number == 0))
        log.append(number)

    async def submit(number):
        if how == "anyio":
            await anyio.to_thread.run_sync(job, number)
        elif how == "asyncio":
            await asyncio.to_thread(job, number)
        else:
            await asyncio.get_running_loop().run_in_executor(pool, job, number)
        log.append(f"after {number}")

    async def main():
        tasks = [asyncio.create_task(submit(number)) for number in range(8)]
        await asyncio.sleep(0)
        REAL.sleep(0.2)
        log.append("main")
        await asyncio.gather(*tasks)

    with ThreadPoolExecutor(3) as pool:
        for _ in range(2):
            asyncio.run(main())
    assert log == 2 * ["main", *(entry for number in range(8) for entry in (number, f"after {number}"))]


def test_t43_sleeps_of_jobs_end_in_the_order_in_which_they_were_submitted(clock):
    """Whichever worker took which job."""
    log = []

    def job(number):
        time.sleep(10)
        log.append(number)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(job, range(4)))
        list(pool.map(job, range(4, 8)))
    assert log == [*range(8)]
