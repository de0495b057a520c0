"""The clock of sessions that are only played: the machine's time passes on it, and waits are jumped over."""

import asyncio
import threading
import time
from datetime import UTC, datetime, timedelta

import freezegun
import pytest
import time_machine

from llmtest.clock import replay_time

NEW_YEAR = datetime(2024, 1, 1, tzinfo=UTC)


@pytest.fixture
def passing():
    """Live by such a clock."""
    with replay_time("a test", passing=True):
        yield


def test_what_is_measured_is_never_nothing(passing):
    """Two readings differ, and the date is today's."""
    began, date = time.perf_counter(), datetime.now(UTC)
    while time.perf_counter() == began:
        pass
    assert 0 < time.perf_counter() - began < 60
    assert date <= datetime.now(UTC) < date + timedelta(seconds=60)


def test_waits_are_jumped_over_and_counted(passing):
    """Sleeps of threads and tasks, and limits on waits, end at once, and the clock reads their end."""
    began = time.monotonic(), time.time()
    time.sleep(3600)
    asyncio.run(asyncio.sleep(3600))
    assert not threading.Event().wait(3600)
    for before, now in zip(began, (time.monotonic(), time.time()), strict=True):
        assert 3 * 3600 <= now - before < 3 * 3600 + 60


def test_frozen_time_stands_and_follows_its_object(passing):
    """Under freezegun nothing passes, a wait does not move the date, and `tick` and `move_to` do."""
    with freezegun.freeze_time("2024-01-01") as frozen:
        began = time.monotonic()
        assert datetime.now(UTC) == datetime.now(UTC) == NEW_YEAR
        time.sleep(30)
        assert datetime.now(UTC) == NEW_YEAR
        assert time.monotonic() - began == 30
        frozen.tick(60)
        assert datetime.now(UTC) == NEW_YEAR + timedelta(seconds=60)
        frozen.move_to("2023-01-01")
        assert datetime.now(UTC) == datetime(2023, 1, 1, tzinfo=UTC)
    assert datetime.now(UTC).year > 2024
    test_what_is_measured_is_never_nothing(None)


def test_a_freeze_of_before_stands_until_its_end():
    """A freeze that is older than the clock holds it, and lets it go."""
    freezer = freezegun.freeze_time("2024-01-01")
    freezer.start()
    with replay_time("a test", passing=True):
        try:
            assert datetime.now(UTC) == datetime.now(UTC) == NEW_YEAR
        finally:
            freezer.stop()
        test_what_is_measured_is_never_nothing(None)


@pytest.mark.parametrize("ticks", [True, False])
def test_time_machine_ticks_where_it_is_told_to(passing, ticks):
    """A journey without ticks stands, and one with them goes on."""
    with time_machine.travel(NEW_YEAR, tick=ticks):
        time.sleep(0)
        assert (datetime.now(UTC) == NEW_YEAR) is not ticks
        assert datetime.now(UTC) - NEW_YEAR < timedelta(seconds=60)
    test_what_is_measured_is_never_nothing(None)


def test_a_journey_of_before_stands_until_its_end():
    """A journey that is older than the clock holds it, and lets it go."""
    journey = time_machine.travel(NEW_YEAR, tick=False)
    journey.start()
    with replay_time("a test", passing=True):
        try:
            assert datetime.now(UTC) == datetime.now(UTC) == NEW_YEAR
        finally:
            journey.stop()
        test_what_is_measured_is_never_nothing(None)
