"""The virtual loop: exact deadlines, first in first out, still while others work, never hanging."""

import asyncio
import sys
import threading
from contextlib import suppress

import anyio
import anyio.to_thread
import pytest

from llmtest.clock import VirtualClock, VirtualTimeLoop, is_virtual_loop, new_virtual_loop, run_virtual
from llmtest.clock._loop import COMPACT_ABOVE
from llmtest.errors import VirtualTimeLivelockError, VirtualTimeStalledError


def run(coroutine):
    """Run a coroutine on a fresh clock; return its result and the virtual seconds it took."""
    clock = VirtualClock()
    return run_virtual(coroutine, clock), clock.elapsed()


def test_a_thousand_sleeps_of_a_tenth_take_exactly_a_hundred_seconds():
    """Deadlines are integers."""

    async def main():
        for _ in range(1000):
            await asyncio.sleep(0.1)

    assert run(main()) == (None, 100.0)


def test_equal_deadlines_fire_first_in_first_out():
    """The stock heap would scramble them."""
    order = []

    async def one(number):
        await asyncio.sleep(1)
        order.append(number)

    async def main():
        await asyncio.gather(*(one(number) for number in range(40)))

    assert run(main()) == (None, 1.0)
    assert order == list(range(40))


def test_concurrent_sleeps_overlap():
    """Time is shared, not added up."""

    async def main():
        await asyncio.gather(asyncio.sleep(30), asyncio.sleep(20), asyncio.sleep(30))

    assert run(main()) == (None, 30.0)


def test_timeouts_fire_in_virtual_time():
    """`asyncio.timeout` and `wait_for` end at their deadline, and only then."""

    async def main():
        loop = asyncio.get_running_loop()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(30):
                await asyncio.Event().wait()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.sleep(10), 2.5)
        assert await asyncio.wait_for(asyncio.sleep(1, "in time"), 2) == "in time"
        return loop.time()

    assert run(main()) == (33.5, 33.5)


def test_nested_timeouts_fire_inside_out():
    """The inner limit ends first."""

    async def main():
        with pytest.raises(TimeoutError):  # noqa: PT012 - the outer limit is what ends it
            async with asyncio.timeout(5):
                with suppress(TimeoutError):
                    async with asyncio.timeout(2):
                        await asyncio.sleep(60)
                await asyncio.sleep(60)

    assert run(main()) == (None, 5.0)


def test_the_clock_s_own_sleep_is_as_exact_and_can_be_cancelled():
    """The direct primitive shares the heap with the timers of asyncio."""
    clock = VirtualClock()
    order = []

    async def one(number, own):
        await (clock.sleep_async(2) if own else asyncio.sleep(2))
        order.append(number)

    async def main():
        tasks = [asyncio.create_task(one(number, own=True)) for number in range(3)]
        doomed = asyncio.create_task(clock.sleep_async(1))
        await clock.sleep_async(0)
        doomed.cancel()
        await asyncio.wait([*tasks, doomed])
        assert doomed.cancelled()

    run_virtual(main(), clock)
    assert order == [0, 1, 2]
    assert clock.elapsed() == 2.0


def test_cancelled_timers_are_swept_out():
    """A timeout that did not fire leaves nothing behind for long."""

    async def main():
        loop = asyncio.get_running_loop()
        for _ in range(5000):
            async with asyncio.timeout(30):  # noqa: ASYNC100 - entered and left is all it should be
                pass
        clock = loop.clock
        tasks = [asyncio.create_task(clock.sleep_async(60)) for _ in range(500)]
        await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        return len(loop._timers)

    size, elapsed = run(main())
    assert size <= 2 * COMPACT_ABOVE
    assert elapsed == 0.0


def test_callbacks_can_be_scheduled_and_cancelled_directly():
    """`call_later`, `call_at` and `cancel` keep asyncio's contract."""
    fired = []

    async def main():
        loop = asyncio.get_running_loop()
        loop.call_later(2, fired.append, "later")
        loop.call_at(loop.time() + 1, fired.append, "at")
        doomed = loop.call_later(1, fired.append, "never")
        assert doomed.when() == 1.0
        doomed.cancel()
        doomed.cancel()
        loop.call_later(float("inf"), fired.append, "never")
        stock = asyncio.TimerHandle(1.0, fired.append, ("never",), loop)
        stock._scheduled = True
        stock.cancel()
        await asyncio.sleep(3)

    assert run(main()) == (None, 3.0)
    assert fired == ["at", "later"]


def test_debug_mode_keeps_asyncio_s_checks():
    """A closed loop refuses, and a callback must be callable."""
    loop = new_virtual_loop()
    loop.set_debug(True)
    loop.call_soon(loop.stop)
    loop.run_forever()
    with pytest.raises(TypeError, match="a callable object was expected"):
        loop.call_later(1, "not callable")
    loop.close()
    with pytest.raises(RuntimeError, match="Event loop is closed"):
        loop.call_later(1, print)
    with pytest.raises(RuntimeError, match="Event loop is closed"):
        loop.call_soon(print)


def test_an_error_in_a_callback_reaches_the_exception_handler():
    """The loop goes on, as the stock one does."""
    seen = []

    async def main():
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: seen.append(repr(context["exception"])))
        loop.call_soon(lambda: 1 / 0)
        loop.call_later(1, [].pop)
        await asyncio.sleep(2)

    run(main())
    assert seen == ["ZeroDivisionError('division by zero')", "IndexError('pop from empty list')"]


def test_time_stands_still_while_a_thread_works():
    """A timeout around an executor's job does not fire, however long the job takes."""
    started = threading.Event()

    def job():
        started.wait(5)
        return threading.current_thread() is not threading.main_thread()

    async def main():
        async with asyncio.timeout(1):
            future = asyncio.get_running_loop().run_in_executor(None, job)
            started.set()
            assert await future
            assert await asyncio.to_thread(job)
            return await anyio.to_thread.run_sync(job)

    assert run(main()) == (True, 0.0)


def test_a_thread_may_call_in():
    """A callback from outside wakes a loop that waits for nothing else."""

    async def main():
        loop = asyncio.get_running_loop()
        arrived = asyncio.Event()
        thread = threading.Thread(target=loop.call_soon_threadsafe, args=(arrived.set,))
        loop.call_soon(thread.start)
        await arrived.wait()
        thread.join()
        return arrived.is_set()

    assert run(main())


def test_advancing_runs_everything_that_falls_due_in_order():
    """`advance_async` returns when all due timers, and what they caused, have run."""
    clock = VirtualClock()
    log = []

    async def worker():
        await asyncio.sleep(10)
        log.append(("first", clock.elapsed()))
        await asyncio.sleep(20)
        await asyncio.sleep(0)
        log.append(("second", clock.elapsed()))
        await asyncio.sleep(1)
        log.append(("too late", clock.elapsed()))

    async def main():
        task = asyncio.create_task(worker())
        await asyncio.sleep(0)
        await clock.advance_async(30)
        assert log == [("first", 10.0), ("second", 30.0)]
        task.cancel()

    run_virtual(main(), clock)
    assert clock.elapsed() == 30.0


def test_advancing_synchronously_inside_a_coroutine_makes_timers_overdue():
    """They fire as soon as the coroutine lets go, in the order of their deadlines."""
    clock = VirtualClock()
    log = []

    async def main():
        loop = asyncio.get_running_loop()
        loop.call_later(20, log.append, "b")
        loop.call_later(10, log.append, "a")
        clock.advance(60)
        log.append("advanced")
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    run_virtual(main(), clock)
    assert log == ["advanced", "a", "b"]


def test_a_deadlock_is_reported_with_every_blocked_task(monkeypatch, tmp_path):
    """Who waits, for what, and where, instead of a hang."""
    monkeypatch.chdir(tmp_path)

    async def worker(queue):
        await queue.get()

    async def main():
        queue = asyncio.Queue()
        task = asyncio.create_task(worker(queue), name="chat-2")
        await asyncio.sleep(5)
        await task

    line = worker.__code__.co_firstlineno
    with pytest.raises(VirtualTimeStalledError) as caught:
        run(main())
    assert str(caught.value) == (
        "every task is waiting, and none of them is waiting for time.\n\n"
        f"  task `Task-1` awaits Task `chat-2`  {__file__}:{line + 7}\n"
        f"  task `chat-2` awaits Queue.get()    {__file__}:{line + 1}\n\n"
        "Virtual time can only jump to a deadline.\n"
        "To fix: add a timeout, or complete what the task waits for."
    )


def test_a_deadlock_under_gather_names_the_members():
    """The task that gathers says whom it waits for."""

    async def one():
        await asyncio.get_running_loop().create_future()

    async def main():
        await asyncio.gather(asyncio.create_task(one(), name="a"), asyncio.create_task(one(), name="b"))

    with pytest.raises(VirtualTimeStalledError) as caught:
        run(main())
    rows = [
        line[2:].rpartition("  ")[0].rstrip() for line in str(caught.value).splitlines() if line.startswith("  task")
    ]
    assert rows[0] == "task `Task-1` awaits gather(`a`, `b`)"
    assert rows[1:] == ["task `a`      awaits a future", "task `b`      awaits a future"]


def test_a_loop_without_tasks_says_so():
    """A future that nobody completes has no task to name."""
    loop = new_virtual_loop()
    with pytest.raises(VirtualTimeStalledError, match="no task is left"):
        loop.run_until_complete(loop.create_future())
    loop.close()


def test_polling_without_sleeping_is_a_livelock(monkeypatch):
    """Time cannot move while something always runs."""
    monkeypatch.setattr("llmtest.clock._loop.SPINS_MAX", 500)
    monkeypatch.setattr("llmtest.clock._rounds.SPINS_MAX", 500)

    async def main():
        while True:  # noqa: ASYNC110 - the mistake under test
            await asyncio.sleep(0)

    with pytest.raises(VirtualTimeLivelockError) as caught:
        run(main())
    assert str(caught.value).startswith(
        "the event loop does not come to an end: 500 rounds of the loop have passed at one instant, at t=0 s.\n\n"
        "  task `Task-1` awaits sleep(0)"
    )


def test_t39_polling_the_clock_takes_the_time_that_it_waits_for():
    """Each idle round is a step of time, so the loop ends, at most a hundredth late."""

    async def main():
        loop = asyncio.get_running_loop()
        end = loop.time() + 60
        while loop.time() < end:  # noqa: ASYNC110 - the habit under test
            await asyncio.sleep(0)

    _, elapsed = run(main())
    assert 60 <= elapsed <= 61


def test_t39_polling_for_something_else_lets_timers_fire():
    """A task that polls without sleeping does not keep another from waking, nor its own limit from passing."""
    done = []

    async def finish():
        await asyncio.sleep(20)
        done.append(True)

    async def main():
        task = asyncio.create_task(finish())
        while not done:  # noqa: ASYNC110 - the habit under test
            await asyncio.sleep(0)
        await task
        with pytest.raises(TimeoutError):  # noqa: PT012 - the limit is what ends it
            async with asyncio.timeout(10):
                while True:  # noqa: ASYNC110 - the habit under test
                    await asyncio.sleep(0)

    assert run(main()) == (None, 30.0)


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        pytest.param({"jumps_max": 10}, "virtual time has jumped as often as it may, at t=10 s.", id="jumps"),
        pytest.param({"elapsed_max": 5.0}, "virtual time would pass its limit of 5 s, at t=5 s.", id="elapsed"),
    ],
)
def test_an_endless_heartbeat_is_a_livelock(limits, reason):
    """A periodic task that outlives everything else is stopped by a limit."""

    async def heartbeat():
        while True:  # noqa: ASYNC110 - the mistake under test
            await asyncio.sleep(1)

    loop = VirtualTimeLoop(**limits)
    with pytest.raises(VirtualTimeLivelockError) as caught:
        loop.run_until_complete(heartbeat())
    assert reason in str(caught.value)
    for task in asyncio.all_tasks(loop):
        task.cancel()
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()


def test_anyio_runs_on_it():
    """Sleeps, deadlines and the clock of anyio are virtual."""

    async def main():
        start = anyio.current_time()
        with anyio.move_on_after(4) as scope:
            await anyio.sleep(60)
        assert scope.cancelled_caught
        async with anyio.create_task_group() as group:
            group.start_soon(anyio.sleep, 3)
            group.start_soon(anyio.sleep, 5)
        return anyio.current_time() - start

    assert run(main()) == (9.0, 9.0)


def test_a_child_process_is_waited_for_in_real_time():
    """Its output is real, so a timeout around it does not fire."""

    async def main():
        async with asyncio.timeout(10):
            child = await asyncio.create_subprocess_exec(
                sys.executable, "-c", "print('real')", stdout=asyncio.subprocess.PIPE
            )
            output, _ = await child.communicate()
        return output.decode().strip()

    assert run(main()) == ("real", 0.0)


def test_a_loop_says_what_it_is():
    """Whoever installs virtual time can tell a loop that was made before."""
    virtual, stock = new_virtual_loop(), asyncio.SelectorEventLoop()
    assert is_virtual_loop(virtual)
    assert not is_virtual_loop(stock)
    virtual.close()
    stock.close()
