# ruff: noqa: DTZ001, DTZ002, DTZ005, DTZ011 - naive and local moments are what is tested here
"""freezegun rides along: it sets wall time, and its clock is ours."""

import asyncio
import datetime as dt
import subprocess
import sys
import threading
import time
from datetime import datetime, timedelta
from time import monotonic as monotonic_by_name
from time import sleep as sleep_by_name

import pytest
from freezegun import freeze_time

from llmtest.clock import virtual_time
from llmtest.clock._real import REAL

FROZEN = "2024-02-03 04:05:06"


def utc():
    """Return wall time in UTC, without saying so."""
    return datetime.now(dt.UTC).replace(tzinfo=None)


def test_freezing_sets_wall_time_and_lets_it_follow():
    """A frozen datetime moves with every virtual sleep, which plain freezegun never does."""
    with virtual_time() as clock:
        before = datetime.now(dt.UTC)
        with freeze_time(FROZEN) as frozen:
            assert utc() == frozen() == frozen.time_to_freeze == datetime(2024, 2, 3, 4, 5, 6)
            time.sleep(30)
            asyncio.run(asyncio.sleep(30))
            assert utc() == datetime(2024, 2, 3, 4, 6, 6)
            assert time.time() == datetime(2024, 2, 3, 4, 6, 6, tzinfo=dt.UTC).timestamp()
        assert datetime.now(dt.UTC) == before + timedelta(seconds=60)
        assert clock.elapsed() == 60.0


def test_ticking_wakes_a_pending_sleep():
    """`tick` moves the loop as well."""
    with virtual_time() as clock, freeze_time(FROZEN) as frozen:

        async def main():
            sleeper = asyncio.create_task(asyncio.sleep(30))
            await asyncio.sleep(0)
            frozen.tick(45)
            await sleeper

        asyncio.run(main())
        assert clock.elapsed() == 45.0
        assert frozen.tick() == datetime(2024, 2, 3, 4, 5, 52)
        assert frozen.tick(timedelta(minutes=1)) == datetime(2024, 2, 3, 4, 6, 52)
        assert frozen.tick(0.5).microsecond == 500_000


def test_ticking_wakes_sleeping_threads():
    """A thread in a virtual sleep is a waiter like any other."""
    with virtual_time(), freeze_time(FROZEN) as frozen:
        thread = threading.Thread(target=time.sleep, args=(30,))
        thread.start()
        frozen.tick(45)
        thread.join()
        assert utc() == datetime(2024, 2, 3, 4, 5, 51)


def test_moving_forward_passes_time_and_moving_back_only_sets_it():
    """Elapsed time never goes back."""
    with virtual_time() as clock, freeze_time(FROZEN) as frozen:
        frozen.move_to("2024-02-04")
        assert (clock.elapsed(), utc()) == (71_694.0, datetime(2024, 2, 4))
        frozen.move_to(dt.date(2020, 1, 1))
        assert (clock.elapsed(), utc()) == (71_694.0, datetime(2020, 1, 1))
        frozen.tick(-60)
        assert (clock.elapsed(), utc()) == (71_694.0, datetime(2019, 12, 31, 23, 59))


def test_an_offset_makes_local_time():
    """`tz_offset` shifts what is local, and leaves UTC alone."""
    with virtual_time():
        with freeze_time(FROZEN, tz_offset=-5):
            assert datetime.now() == datetime.today() == datetime(2024, 2, 2, 23, 5, 6)
            assert dt.date.today() == dt.date(2024, 2, 2)
            assert utc() == datetime(2024, 2, 3, 4, 5, 6)
        assert datetime.now().astimezone(dt.UTC) == datetime.now(dt.UTC)


def test_decorators_and_nested_freezes_work():
    """Functions, coroutines and freezes inside freezes."""

    @freeze_time("2023-05-05")
    def function():
        return utc()

    @freeze_time("2023-06-06", as_kwarg="frozen")
    def with_argument(*, frozen):
        return frozen()

    @freeze_time("2023-07-07")
    async def coroutine():
        await asyncio.sleep(5)
        return utc()

    with virtual_time(), freeze_time(FROZEN):
        assert function() == datetime(2023, 5, 5)
        assert with_argument() == datetime(2023, 6, 6)
        assert asyncio.run(coroutine()) == datetime(2023, 7, 7, 0, 0, 5)
        assert utc() == datetime(2024, 2, 3, 4, 5, 11)


def test_a_freeze_may_end_after_the_simulation():
    """Fixtures are torn down in either order."""
    freezer = freeze_time(FROZEN)
    with virtual_time():
        freezer.start()
    freezer.stop()
    assert datetime.now().year > 2024
    with freezer:
        assert datetime.now() == datetime(2024, 2, 3, 4, 5, 6)


OUTSIDE = """
import asyncio, datetime, time
import pydantic
from freezegun import freeze_time
from llmtest.clock import virtual_time

def model():
    class Model(pydantic.BaseModel):
        when: datetime.datetime
        day: datetime.date
    return Model(when=datetime.datetime.now(), day=datetime.date.today()).model_dump_json()

with freeze_time("2024-02-03 04:05:06", tz_offset=-5):
    from datetime import datetime as Frozen
    {imports}
    with virtual_time() as clock:
        time.sleep(30)
        asyncio.run(asyncio.sleep(30))
        print(Frozen.now(), datetime.datetime.utcnow(), time.time())
        print(model())
    print(datetime.datetime.now(), time.time())
print(datetime.datetime.now().year > 2024, time.time() > 1790000000, model()[:11])
"""


@pytest.mark.parametrize(
    "imports",
    [
        pytest.param("pass", id="imported-before"),
        pytest.param(
            "import sys; [sys.modules.pop(name) for name in list(sys.modules) if name.startswith('llmtest')]; "
            "from llmtest.clock import virtual_time",
            id="imported-while-frozen",
        ),
    ],
)
def test_time_frozen_outside_follows_inside(imports):
    """Its own classes read our clock during the simulation; pydantic knows them, and is whole afterwards."""
    code = OUTSIDE.format(imports=imports)
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", code], capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "2024-02-02 23:06:06 2024-02-03 04:06:06 1706933166.0",
        '{"when":"2024-02-02T23:06:06","day":"2024-02-02"}',
        "2024-02-02 23:05:06 1706933106.0",
        'True True {"when":"20',
    ]


LATE = """
import asyncio, datetime, sys, time
from llmtest.clock import virtual_time

with virtual_time() as clock:
    from freezegun import freeze_time
    with freeze_time("2024-02-03 04:05:06") as frozen:
        asyncio.run(asyncio.sleep(30))
        print(datetime.datetime.now(datetime.UTC), frozen(), clock.elapsed())
from time import monotonic
import freezegun.api
print(freezegun.api.real_time is time.time, freezegun.api.real_monotonic is monotonic)
with freeze_time("2024-02-03 04:05:06"):
    print(datetime.datetime.now(), monotonic is freezegun.api.fake_monotonic)
"""


def test_t16_freezegun_first_imported_inside_rides_along():
    """A late import freezes the epoch of our clock, and freezes the machine's afterwards as ever."""
    done = subprocess.run([sys.executable, "-c", LATE], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "2024-02-03 04:05:36+00:00 2024-02-03 04:05:36 30.0",
        "True True",
        "2024-02-03 04:05:06 True",
    ]


def test_t37_a_freeze_around_a_simulation_moves_by_its_own_object():
    """`move_to` an earlier day changes the date alone, whoever froze it; no monotonic clock goes back."""

    def read():
        return time.monotonic(), monotonic_by_name(), time.perf_counter(), time.monotonic_ns()

    with freeze_time(FROZEN) as frozen:
        with virtual_time() as clock:
            before = read()
            frozen.move_to("2020-01-01")
            assert (clock.elapsed(), utc()) == (0.0, datetime(2020, 1, 1))
            frozen.tick(45)
            assert (clock.elapsed(), utc()) == (45.0, datetime(2020, 1, 1, 0, 0, 45))
            assert [now - then for now, then in zip(read(), before, strict=True)] == [45, 45, 45, 45_000_000_000]
        assert utc() == datetime(2024, 2, 3, 4, 5, 6)
        frozen.tick()
        assert utc() == datetime(2024, 2, 3, 4, 5, 7)


def test_t37_a_freeze_that_ends_inside_leaves_virtual_time_whole():
    """Freezegun puts the machine's functions back, and we ours."""
    freezer = freeze_time(FROZEN)
    freezer.start()
    with virtual_time() as clock:
        time.sleep(30)
        freezer.stop()
        assert utc() == datetime(2026, 1, 1, 0, 0, 30)
        before = monotonic_by_name()
        time.sleep(30)
        sleep_by_name(30)
        assert monotonic_by_name() - before == 60
        assert clock.elapsed() == 90.0
    assert time.time is REAL.time
    assert monotonic_by_name is REAL.monotonic


def test_t37_a_freeze_that_goes_on_is_freezegun_s_between_simulations():
    """A freeze of a class or a module begins in its first simulation and holds until it is stopped."""
    freezer = freeze_time(FROZEN)
    with virtual_time():
        frozen = freezer.start()
        time.sleep(30)
    assert utc() == frozen() == datetime(2024, 2, 3, 4, 5, 6)
    frozen.tick(10)
    frozen.move_to("2024-02-04")
    assert utc() == frozen.time_to_freeze == datetime(2024, 2, 4)
    with virtual_time() as clock:
        time.sleep(30)
        assert utc() == datetime(2024, 2, 4, 0, 0, 30)
        frozen.tick(30)
        assert clock.elapsed() == 60.0
    freezer.stop()
    assert datetime.now().year > 2024


CASES = """
import datetime, time, unittest
import pytest
from freezegun import freeze_time
from llmtest.testing import SimulationTestCase

def thirty_seconds(clock):
    assert datetime.datetime.now().year == 2024
    time.sleep(30)
    assert (clock.elapsed(), datetime.datetime.now().second) == (30.0, 30)

@freeze_time("2024-02-03")
def test_a_decorator(llm_sim):
    thirty_seconds(llm_sim.clock)

@freeze_time("2024-02-03")
class TestClass:
    def test_it(self, llm_sim):
        thirty_seconds(llm_sim.clock)

@freeze_time("2024-02-03")
class TestUnittest(SimulationTestCase):
    def test_it(self):
        thirty_seconds(self.sim.clock)

@pytest.fixture(scope="class")
def frozen():
    with freeze_time("2024-02-03") as frozen:
        yield frozen

@pytest.mark.usefixtures("frozen")
class TestFixture:
    def test_first(self, llm_sim):
        thirty_seconds(llm_sim.clock)

    def test_second(self, llm_sim):
        thirty_seconds(llm_sim.clock)

    def test_without(self):
        assert datetime.datetime.now() == datetime.datetime(2024, 2, 3)

def test_afterwards(llm_sim):
    assert datetime.datetime.now().year == 2026
"""


def test_t37_every_order_of_freezes_and_fixtures_works(run_tests):
    """Decorated functions and classes, `unittest`, and a fixture of wider scope than the simulation."""
    run_tests(CASES, subprocess=True).assert_outcomes(passed=7)
