"""Threads from before the simulation that work for it in real time, and those that do not."""

import asyncio
import queue
import threading
import time
from pathlib import Path

import pytest

from llmtest.clock import virtual_time
from llmtest.clock._real import REAL

WORK_S = 0.05
"""How long a stranger works, in real seconds."""


@pytest.fixture
def worker():
    """A thread from before the simulation that takes jobs from one queue and puts results into another."""
    jobs, results = queue.Queue(), queue.Queue()

    def work():
        while (job := jobs.get()) is not None:
            REAL.sleep(WORK_S)
            results.put(job * 2)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    yield jobs, results
    jobs.put(None)
    thread.join()


@pytest.fixture
def loop():
    """An event loop in a thread from before the simulation, as libraries make one when they are imported."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    asyncio.run_coroutine_threadsafe(asyncio.sleep(0), loop).result(10)
    yield loop
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def test_t41_a_result_in_a_queue_is_waited_for(worker):
    """A limit of 30 s is not over before a worker from before has done 50 ms of work."""
    jobs, results = worker
    with virtual_time() as clock:
        for number in range(3):
            jobs.put(number)
            assert results.get(timeout=30) == number * 2
        assert clock.elapsed() == 0.0
        with pytest.raises(queue.Empty):
            results.get(timeout=30)
        assert clock.elapsed() == 30.0


def test_t41_an_event_is_waited_for():
    """The same for an event that a thread from before sets."""
    go, done = threading.Event(), threading.Event()

    def work():
        go.wait()
        REAL.sleep(WORK_S)
        done.set()

    thread = threading.Thread(target=work)
    thread.start()
    with virtual_time() as clock:
        go.set()
        assert done.wait(30)
        assert clock.elapsed() == 0.0
    thread.join()


def test_t41_a_result_of_an_older_loop_is_waited_for(loop):
    """`run_coroutine_threadsafe(...).result(30)` waits for a loop that really sleeps."""

    async def ask():
        await asyncio.sleep(WORK_S)
        return "answer"

    with virtual_time() as clock:
        assert asyncio.run_coroutine_threadsafe(ask(), loop).result(30) == "answer"
        assert clock.elapsed() == 0.0
        time.sleep(5)
        assert clock.elapsed() == 5.0


def test_t41_a_task_on_our_loop_waits_for_an_older_one(loop):
    """The same through `wrap_future`, inside a timeout of the virtual loop."""

    async def ask():
        await asyncio.sleep(WORK_S)
        return "answer"

    async def main():
        return await asyncio.wait_for(asyncio.wrap_future(asyncio.run_coroutine_threadsafe(ask(), loop)), 30)

    with virtual_time() as clock:
        assert asyncio.run(main()) == "answer"
        assert clock.elapsed() == 0.0


def test_t41_a_result_that_never_comes_is_waited_for_no_longer_than_in_real_life(loop):
    """A short limit on a loop that does not answer ends, in real time and in virtual time."""

    async def never():
        await asyncio.Event().wait()

    with virtual_time() as clock:
        future = asyncio.run_coroutine_threadsafe(never(), loop)
        with pytest.raises(TimeoutError):
            future.result(0.05)
        assert clock.elapsed() == 0.05
        future.cancel()


def test_t41_a_thread_that_polls_beside_the_test_holds_nothing_up():
    """An exporter from before that wakes now and then is at home, and a thousand jumps past it take no time."""
    stop = threading.Event()

    def poll():
        while not stop.wait(0.01):
            pass

    thread = threading.Thread(target=poll)
    thread.start()
    REAL.sleep(0.03)
    with virtual_time() as clock:
        began = REAL.monotonic()
        condition = threading.Condition()
        for _ in range(20):
            with condition:
                condition.notify()
            time.sleep(1000)
        assert clock.elapsed() == 20_000.0
        assert REAL.monotonic() - began < 5
        stop.set()
        thread.join()


def test_t41_a_stranger_that_works_for_ever_is_left_to_itself(worker, monkeypatch):
    """Whoever is still at work after a long while works in the background."""
    monkeypatch.setattr("llmtest.clock._strangers.PATIENCE_NS", 20_000_000)
    gate = threading.Event()
    jobs = queue.Queue()

    def work():
        jobs.get()
        while not gate.is_set():
            REAL.sleep(0.001)

    thread = threading.Thread(target=work)
    thread.start()
    with virtual_time() as clock:
        jobs.put(1)
        time.sleep(60)
        assert clock.elapsed() == 60.0
        gate.set()
    thread.join()


def test_what_watches_strangers_is_given_back():
    """A simulation leaves no open file behind, whoever was there before it."""
    done = threading.Event()
    stranger = threading.Thread(target=done.wait)
    stranger.start()
    files = Path("/proc/self/fd")
    if files.exists():  # elsewhere nothing is opened
        with virtual_time():  # whose watch, one for the process, opens what it needs
            time.sleep(1)
        before = len(list(files.iterdir()))
        for _ in range(3):
            with virtual_time():
                time.sleep(1)
        assert len(list(files.iterdir())) == before
    done.set()
    stranger.join()
