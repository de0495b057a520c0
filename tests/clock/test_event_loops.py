"""Loops that asyncio did not make for the simulation: uvloop's, kept ones, nested ones, ones made by hand."""

import asyncio
import gc
import logging
import subprocess
import sys
import time

import pytest
import uvloop
from uvloop import new_event_loop as uvloop_by_name
from uvloop import run as uvloop_run_by_name

from llmtest.clock import is_virtual_loop, virtual_time
from llmtest.clock._real import REAL
from llmtest.errors import SimulationStateError


@pytest.fixture
def kept():
    """Yield a stock loop that was made before any simulation, as a library keeps one."""
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


def by_policy():
    """Run a coroutine on a loop of uvloop's policy."""
    before = asyncio.get_event_loop_policy()
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    try:
        asyncio.run(asyncio.sleep(3))
    finally:
        asyncio.set_event_loop_policy(before)


def run_and_close(loop):
    """Run a coroutine on a loop that is given."""
    try:
        loop.run_until_complete(asyncio.sleep(3))
    finally:
        loop.close()


def run_on(loop_factory):
    """Run a coroutine by a runner with a factory of its own."""
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(asyncio.sleep(3))


@pytest.mark.filterwarnings("ignore:uvloop.install:DeprecationWarning")
@pytest.mark.parametrize(
    "run",
    [
        pytest.param(lambda: uvloop.run(asyncio.sleep(3)), id="uvloop.run"),
        pytest.param(lambda: uvloop_run_by_name(asyncio.sleep(3)), id="run-by-name"),
        pytest.param(lambda: uvloop.run(asyncio.sleep(3), debug=True, loop_factory=uvloop.Loop), id="with-options"),
        pytest.param(by_policy, id="policy"),
        pytest.param(lambda: run_on(uvloop_by_name), id="runner"),
        pytest.param(lambda: run_on(uvloop.Loop), id="runner-class"),
        pytest.param(lambda: run_and_close(uvloop.new_event_loop()), id="new_event_loop"),
    ],
)
def test_t12_uvloop_runs_in_virtual_time(run):
    """Whichever way a program asks for uvloop, its loop lives by the clock of the simulation."""
    started = REAL.monotonic()
    with virtual_time() as clock:
        run()
        assert clock.elapsed() == 3.0
    assert REAL.monotonic() - started < 2


def test_t12_uvloop_is_itself_again_afterwards():
    """Outside a simulation its functions make its own loops."""

    async def kind():
        return type(asyncio.get_running_loop())

    with virtual_time():
        uvloop.run(asyncio.sleep(1))
    assert uvloop_run_by_name(kind()) is uvloop.Loop
    loop = uvloop_by_name()
    assert isinstance(loop, uvloop.Loop)
    loop.close()


LATE = """
import asyncio
from llmtest.clock import virtual_time
with virtual_time() as clock:
    import uvloop
    uvloop.run(asyncio.sleep(3))
    print(clock.elapsed(), uvloop.__spec__.loader is uvloop.__loader__, type(uvloop.__loader__).__name__)
async def kind():
    return type(asyncio.get_running_loop())
print(uvloop.run(kind()))
"""


def test_t12_uvloop_first_imported_inside_rides_along():
    """An import in the middle of a simulation changes nothing."""
    done = subprocess.run([sys.executable, "-c", LATE], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["3.0 True SourceFileLoader", "<class 'uvloop.Loop'>"]


def test_t12_a_loop_that_cannot_be_virtual_is_refused_before_it_waits():
    """A loop of uvloop that was made before keeps real time: using it is an error, recorded, that says what to do."""
    loop = uvloop.new_event_loop()
    recorded = []
    coroutine = asyncio.sleep(60)
    with virtual_time(on_error=recorded.append), pytest.raises(SimulationStateError) as caught:
        loop.run_until_complete(coroutine)
    assert str(caught.value) == (
        "`uvloop.Loop` cannot run in a simulation: it keeps real time, and its clock cannot be replaced once it is "
        "made.\n"
        "To fix: let the test make its loop, by `asyncio.run(...)` or `asyncio.Runner()`, or turn virtual time off for "
        'it: `@pytest.mark.llm_time("real")`, `Simulation(time="real")`.'
    )
    assert recorded == [caught.value]
    for task in asyncio.all_tasks(loop):
        task.cancel()
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()


def test_t14_a_loop_kept_between_simulations_is_virtual_in_each_and_real_between(kept):
    """What a library's `run_sync` runs on is adopted where it begins to run, whichever simulation that is."""
    for _ in range(2):
        with virtual_time() as clock:
            kept.run_until_complete(asyncio.sleep(30))
            assert clock.elapsed() == 30.0
            assert is_virtual_loop(kept)
        assert type(kept) is asyncio.SelectorEventLoop
        started = REAL.monotonic()
        kept.run_until_complete(asyncio.sleep(0.01))
        assert started < kept.time() <= REAL.monotonic()


def test_t14_timers_of_a_kept_loop_move_with_it(kept):
    """What is left of a wait is left of it on the other clock."""
    fired = []
    kept.call_later(0.5, fired.append, "set before")
    kept.call_later(3600, fired.append, "too late")
    with virtual_time() as clock:
        kept.call_later(10, fired.append, "set inside")
        kept.run_until_complete(asyncio.sleep(5))
        assert fired == ["set before"]
        kept.run_until_complete(asyncio.sleep(5))
        assert fired == ["set before", "set inside"]
        assert clock.elapsed() == 10.0
        soon = kept.call_later(0.01, fired.append, "afterwards")
        doomed = kept.call_later(0.01, fired.append, "never")
    doomed.cancel()
    kept.run_until_complete(asyncio.sleep(0.02))
    assert fired == ["set before", "set inside", "afterwards"]
    assert soon.when() < REAL.monotonic()


def test_t14_a_loop_of_a_class_of_its_own_is_adopted_too():
    """What its class added is still there."""

    class Counting(asyncio.SelectorEventLoop):
        def answer(self):
            return 42

    loop = Counting()
    with virtual_time() as clock:
        loop.run_until_complete(asyncio.sleep(3))
        assert (clock.elapsed(), loop.answer(), is_virtual_loop(loop)) == (3.0, 42, True)
    assert type(loop) is Counting
    loop.close()


def test_t36_a_selector_loop_made_by_hand_is_virtual():
    """`SelectorEventLoop()` asks no policy, and is adopted when it runs."""
    with virtual_time() as clock:
        run_and_close(asyncio.SelectorEventLoop())
        assert clock.elapsed() == 3.0


NESTED = """
import asyncio, sys, time
import nest_asyncio
from llmtest.clock import virtual_time

kept = asyncio.new_event_loop()
if sys.argv[1] == "before":
    nest_asyncio.apply(kept)

async def inner():
    await asyncio.sleep(3)
    return "answer"

async def outer():
    sleeper = asyncio.create_task(asyncio.sleep(2))
    answers = [asyncio.run(inner()), asyncio.get_running_loop().run_until_complete(inner())]
    assert sleeper.done()
    answers.append(await asyncio.to_thread(time.sleep, 1) or "slept")
    return answers

for _ in range(2):
    with virtual_time() as clock:
        if sys.argv[1] == "inside":
            nest_asyncio.apply()
        print(asyncio.run(outer()), clock.elapsed())
        print(kept.run_until_complete(outer()), clock.elapsed())
print(kept.run_until_complete(asyncio.sleep(0.01, "real")))
"""


@pytest.mark.parametrize("when", ["before", "inside"])
def test_t36_nested_runs_are_virtual(when):
    """`nest_asyncio`, applied before or inside, lets a running virtual loop be run again, on new and on kept loops."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", NESTED, when], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.stderr == ""
    answers = "['answer', 'answer', 'slept']"
    assert done.stdout.splitlines() == [f"{answers} 7.0", f"{answers} 14.0"] * 2 + ["real"]


def test_t49_a_virtual_loop_kept_past_its_simulation_keeps_real_time(caplog):
    """It goes on as a stock loop, its tasks with it, and the log says that something was left unfinished."""

    async def leave_something():
        asyncio.get_running_loop().create_task(asyncio.sleep(0.02, "done"))
        asyncio.get_running_loop().create_task(asyncio.get_running_loop().clock.sleep_async(0.01))
        await asyncio.sleep(0)

    before = REAL.monotonic()
    with virtual_time(), caplog.at_level(logging.WARNING, "llmtest"):
        loop = asyncio.new_event_loop()
        far = loop.call_later(3600, print)
        loop.run_until_complete(leave_something())
    assert "an event loop outlived the simulation that it was in, with 2 tasks unfinished" in caplog.text
    assert type(loop) is asyncio.SelectorEventLoop
    assert before + 3600 <= far.when() <= REAL.monotonic() + 3600
    loop.run_until_complete(asyncio.wait(asyncio.all_tasks(loop)))
    far.cancel()
    with virtual_time() as clock:
        loop.run_until_complete(asyncio.sleep(60))
        assert clock.elapsed() == 60.0
    loop.close()


def test_t49_a_waiter_cancelled_after_its_simulation_leaves_quietly():
    """A wait of our own that began in virtual time can be cancelled in real time."""
    with virtual_time():
        loop = asyncio.new_event_loop()
        task = loop.create_task(loop.clock.sleep_async(60))
        loop.run_until_complete(asyncio.sleep(0))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        loop.run_until_complete(task)
    loop.close()
    gc.collect()


def test_t14_the_workers_of_a_kept_loop_take_part(kept):
    """A thread that the loop's pool has kept from an earlier simulation holds time still before it is at work."""
    for _ in range(3):
        with virtual_time() as clock:
            kept.run_until_complete(asyncio.wait_for(asyncio.to_thread(time.sleep, 1), 5))
            assert clock.elapsed() == 1.0
    kept.run_until_complete(kept.shutdown_default_executor())
