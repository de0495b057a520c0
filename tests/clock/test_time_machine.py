"""time-machine rides along: its journeys set wall time, and its travellers move our clock."""

import asyncio
import datetime as dt
import subprocess
import sys
import time
import types

import pytest
import time_machine

from llmtest.clock import virtual_time
from llmtest.clock._real import REAL
from llmtest.errors import SimulationStateError

PAST = dt.datetime(2020, 3, 4, 5, 6, 7, tzinfo=dt.UTC)


def utc():
    """Return wall time in UTC."""
    return dt.datetime.now(dt.UTC)


@pytest.mark.parametrize("tick", [True, False])
def test_t37_a_journey_inside_sets_wall_time_and_lets_it_follow(tick):
    """The date is that of the journey, moves with every virtual wait, and is the simulation's again afterwards."""
    with virtual_time() as clock:
        with time_machine.travel(PAST, tick=tick):
            assert utc() == PAST
            time.sleep(30)
            asyncio.run(asyncio.sleep(30))
            assert utc() == PAST + dt.timedelta(seconds=60)
            assert time.time() == utc().timestamp()
        assert utc() == dt.datetime(2026, 1, 1, 0, 1, tzinfo=dt.UTC)
        assert clock.elapsed() == 60.0


def test_t37_a_traveller_moves_the_clock_forward_and_only_the_date_back():
    """`shift` and `move_to` wake sleepers; elapsed time never goes back."""
    with virtual_time() as clock, time_machine.travel(PAST) as traveller:
        before = time.monotonic()
        traveller.shift(30)
        traveller.shift(dt.timedelta(seconds=30))
        assert (clock.elapsed(), utc()) == (60.0, PAST + dt.timedelta(seconds=60))
        traveller.shift(-60)
        assert (clock.elapsed(), utc()) == (60.0, PAST)
        traveller.move_to(PAST + dt.timedelta(days=1))
        assert (clock.elapsed(), utc()) == (86_460.0, PAST + dt.timedelta(days=1))
        traveller.move_to(PAST)
        assert (clock.elapsed(), utc()) == (86_460.0, PAST)
        assert time.monotonic() - before == 86_460


def test_t37_a_journey_around_a_simulation_decides_where_it_begins():
    """Its traveller moves our clock inside; when it ends inside, the simulation has its own date."""
    journey = time_machine.travel(PAST, tick=False)
    traveller = journey.start()
    with virtual_time() as clock:
        assert utc() == PAST
        traveller.shift(45)
        assert (clock.elapsed(), utc()) == (45.0, PAST + dt.timedelta(seconds=45))
        journey.stop()
        assert utc() == dt.datetime(2026, 1, 1, 0, 0, 45, tzinfo=dt.UTC)
    assert abs(time.time() - REAL.time()) < 5
    with time_machine.travel(PAST, tick=False) as traveller:
        traveller.shift(1)
        assert utc() == PAST + dt.timedelta(seconds=1)


def test_t37_a_journey_as_a_decorator():
    """Functions and coroutines travel."""

    @time_machine.travel(PAST)
    async def travelling():
        await asyncio.sleep(5)
        return utc()

    with virtual_time():
        assert asyncio.run(travelling()) == PAST + dt.timedelta(seconds=5)


LATE = """
import datetime, time
from llmtest.clock import virtual_time
with virtual_time() as clock:
    import time_machine
    with time_machine.travel("2020-03-04T00:00Z"):
        time.sleep(30)
        print(datetime.datetime.now(datetime.UTC))
with time_machine.travel("2020-03-04T00:00Z", tick=False):
    print(time.time(), datetime.date.today())
"""


def test_t37_time_machine_first_imported_inside_rides_along():
    """It remembers the functions that it finds, so it must find the machine's."""
    done = subprocess.run([sys.executable, "-c", LATE], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["2020-03-04 00:00:30+00:00", "1583280000.0 2020-03-04"]


def test_t37_an_older_time_machine_is_refused_by_name(monkeypatch):
    """What cannot be honoured is said, with what to do."""

    class Travel:
        def start(self):
            return "travelling"

    old = types.ModuleType("time_machine")
    old.travel = Travel
    monkeypatch.setitem(sys.modules, "time_machine", old)
    with virtual_time(), pytest.raises(SimulationStateError) as caught:
        Travel().start()
    assert str(caught.value) == (
        "time-machine before version 3 cannot travel inside a simulation: it would change clocks that nobody reads.\n"
        'To fix: install time-machine 3, or set the date by `@pytest.mark.llm_time(start="2026-03-01")`.'
    )
    assert Travel().start() == "travelling"
