# ruff: noqa: DTZ001, DTZ002, DTZ005, DTZ011 - naive and local moments are what is tested here
"""freezegun rides along: it sets wall time, and its clock is ours."""

import asyncio
import datetime as dt
import subprocess
import sys
import threading
import time
from datetime import datetime, timedelta

import pytest
from freezegun import freeze_time

from llmtest.clock import virtual_time

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
