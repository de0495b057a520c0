# ruff: noqa: DTZ001, DTZ002, DTZ003, DTZ005, DTZ011, DTZ012 - naive and local moments are what is tested here
"""Installing virtual time covers every name of every clock, and leaves nothing behind."""

import asyncio
import datetime as dt
import gc
import random
import sys
import threading
import time
import types
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import pydantic
import pytest

from llmtest.clock import VirtualClock, active_clock, is_virtual_loop, virtual_time
from llmtest.clock._real import REAL
from llmtest.errors import SimulationStateError


def snapshot():
    """Return everything an installation touches."""
    return [
        *(getattr(time, name) for name in ("time", "monotonic", "sleep", "perf_counter_ns", "localtime", "strftime")),
        *(gc.get_referents(kind.__dict__)[0][name] for kind, name in ((datetime, "now"), (dt.date, "today"))),
        threading.Thread.start,
        threading.Thread._bootstrap,
        threading.Condition.wait,
        ThreadPoolExecutor.submit,
        asyncio.new_event_loop,
        asyncio.events.new_event_loop,
        type(asyncio.get_event_loop_policy()).__mro__[1].__dict__.get("_loop_factory"),
        random.getstate(),
        "set" in vars(asyncio.tasks),
    ]


def test_everything_is_put_back():
    """A simulation leaves no trace, also when it fails."""
    before = snapshot()
    with pytest.raises(KeyError), virtual_time():  # noqa: PT012 - the state inside is part of the story
        assert snapshot() != before
        random.random()
        raise KeyError
    assert snapshot() == before


def test_every_clock_of_the_process_reads_the_same_time():
    """Wall clocks, monotonic clocks, dates and the event loop agree to the nanosecond."""
    with virtual_time() as clock:
        start = time.monotonic(), time.perf_counter(), time.monotonic_ns(), time.perf_counter_ns()
        time.sleep(90_061.5)
        assert time.monotonic() - start[0] == time.perf_counter() - start[1] == 90_061.5
        assert time.monotonic_ns() - start[2] == time.perf_counter_ns() - start[3] == clock.now_ns()
        assert time.time_ns() == clock.time_ns()
        assert time.time() == clock.now().timestamp()
        assert datetime.now(dt.UTC) == clock.now() == dt.datetime(2026, 1, 2, 1, 1, 1, 500_000, dt.UTC)
        assert datetime.now().astimezone(dt.UTC) == clock.now()
        assert datetime.today() == datetime.now()
        assert dt.date.today() == datetime.now().date()
        assert time.gmtime()[:6] == (2026, 1, 2, 1, 1, 1)
        assert time.mktime(time.localtime()) == int(time.time())
        assert time.ctime() == time.ctime(time.time())
        assert time.strftime("%Y") == "2026"
        assert time.strftime("%Y", time.gmtime(0)) == "1970"

        async def main():
            return asyncio.get_running_loop().time(), time.monotonic()

        loop_time, monotonic = asyncio.run(main())
        assert loop_time == monotonic


def test_t38_the_system_s_clocks_by_number_are_virtual():
    """`clock_gettime` reads the same clock; the clocks of the processor stay real."""
    with virtual_time() as clock:
        assert time.clock_gettime(time.CLOCK_REALTIME) == time.time()
        assert time.clock_gettime_ns(time.CLOCK_MONOTONIC) == time.monotonic_ns()
        time.sleep(60)
        assert time.clock_gettime_ns(time.CLOCK_REALTIME) == clock.time_ns()
        assert time.clock_gettime(time.CLOCK_BOOTTIME) == time.monotonic()
        assert time.clock_gettime(time.CLOCK_PROCESS_CPUTIME_ID) < 10_000
    assert abs(time.clock_gettime(time.CLOCK_REALTIME) - REAL.time()) < 5


@pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")
def test_utcnow_is_virtual_and_still_deprecated():
    """The old method reads the clock, and warns where Python does."""
    with virtual_time():
        assert datetime.utcnow() == datetime(2026, 1, 1)
        if sys.version_info >= (3, 12):
            with pytest.warns(DeprecationWarning, match="utcnow"):
                datetime.utcnow()


def test_a_subclass_of_datetime_gets_instances_of_itself():
    """Class methods keep their class."""

    class Moment(datetime):
        pass

    with virtual_time():
        assert type(Moment.now()) is Moment
        assert type(Moment.today()) is Moment
        assert Moment.now(dt.UTC).year == 2026


def test_a_negative_sleep_is_refused_as_ever():
    """The replaced sleep keeps the contract of the original."""
    with virtual_time(), pytest.raises(ValueError, match="sleep length must be non-negative"):
        time.sleep(-1)


def test_names_bound_by_from_imports_are_virtual_too(monkeypatch):
    """A user module that said `from time import sleep` is covered; the test runner's own names are not."""
    for name in ("users_module", "pytest_users_plugin"):
        module = types.ModuleType(name)
        exec("from time import sleep, monotonic as tick, time_ns", vars(module))
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setitem(sys.modules, "odd_entry", object())
    for _ in range(2):
        with virtual_time() as clock:
            module = sys.modules["users_module"]
            before = module.tick()
            module.sleep(12)
            assert module.tick() - before == clock.elapsed() == 12.0
            assert module.time_ns() == clock.time_ns()
            assert sys.modules["pytest_users_plugin"].tick is REAL.monotonic
        assert module.sleep is REAL.sleep


def test_a_name_kept_from_inside_reads_real_time_afterwards():
    """A module imported during a simulation is not stuck in it."""
    with virtual_time():
        from time import monotonic, sleep, time

        kept = time, monotonic, sleep
    assert abs(kept[0]() - REAL.time()) < 5
    assert abs(kept[1]() - REAL.monotonic()) < 5
    kept[2](0)


def test_monotonic_time_never_goes_back_within_a_process():
    """Neither on entering a simulation nor from one to the next: a rate limiter made at import survives."""
    readings = [time.monotonic()]
    for _ in range(2):
        with virtual_time():
            readings.append(time.monotonic())
            time.sleep(3_000_000)
            readings.append(time.monotonic())
    assert readings == sorted(readings)


def test_global_randomness_is_seeded_and_restored():
    """The jitter of SDKs repeats, and the test's own generator goes on where it was."""
    random.seed(99)
    expected = random.Random(99).random()
    draws = []
    for seed in (1, 1, 2):
        with virtual_time(seed=seed):
            draws.append(random.random())
    assert draws[0] == draws[1] != draws[2]
    assert random.random() == expected


def test_a_second_simulation_is_refused_by_name():
    """One process has one virtual time."""
    with virtual_time(label="`llm_sim` of test_a"):
        with pytest.raises(SimulationStateError) as caught, virtual_time(label="`llm_sim` of test_b"):
            pass
        assert str(caught.value) == (
            "`llm_sim` of test_b cannot start while `llm_sim` of test_a is running: a process has one virtual time.\n"
            "To fix: end the first one, or use one simulation for both."
        )
    with virtual_time(label="`llm_sim` of test_b"):
        pass


def test_every_way_to_a_new_loop_is_virtual():
    """`asyncio.run`, a runner, the policy and a bare new loop."""

    async def main():
        return asyncio.get_running_loop()

    with virtual_time() as clock:
        with asyncio.Runner() as runner:
            loops = [asyncio.run(main()), runner.run(main())]
        for make in (asyncio.new_event_loop, asyncio.get_event_loop_policy().new_event_loop):
            loops.append(make())
            loops[-1].close()
        assert all(is_virtual_loop(loop) and loop.clock is clock for loop in loops)
        assert active_clock() is clock
    loop = asyncio.new_event_loop()
    assert not is_virtual_loop(loop)
    loop.close()


def test_a_stranger_s_new_loop_is_real():
    """A thread from before makes stock loops."""
    with ThreadPoolExecutor(1) as pool:
        go = threading.Event()

        def make():
            go.wait()
            asyncio.new_event_loop().close()
            loop = asyncio.get_event_loop_policy().new_event_loop()
            loop.close()
            return is_virtual_loop(loop), datetime.now().year, dt.date.today()

        future = pool.submit(make)
        with virtual_time():
            go.set()
            assert future.result() == (
                False,
                dt.date.fromtimestamp(REAL.time()).year,
                dt.date.fromtimestamp(REAL.time()),
            )


def test_pydantic_is_not_poisoned():
    """No class is replaced, so schemas built inside and outside agree."""

    def build():
        class Model(pydantic.BaseModel):
            when: datetime
            day: dt.date
            past: pydantic.PastDatetime

        return Model(when=datetime.now(), day=dt.date.today(), past=datetime(2020, 1, 1)).model_dump_json()

    with virtual_time():
        assert build() == '{"when":"2026-01-01T00:00:00","day":"2026-01-01","past":"2020-01-01T00:00:00"}'
    build()


def test_a_given_clock_goes_on_where_it_was():
    """The simulation owns neither the start nor the end of its clock."""
    clock = VirtualClock()
    clock.sleep(5)
    with virtual_time(clock) as inside:
        assert inside is clock
        time.sleep(5)
    clock.sleep(5)
    assert clock.elapsed() == 15.0
