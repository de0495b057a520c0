"""Clocks are read and waited on in whole nanoseconds."""

import asyncio
import copy
import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest

from llmtest.clock import (
    AsyncWaiter,
    BlockingWaiter,
    Clock,
    SystemClock,
    Turn,
    VirtualClock,
    active_clock,
    draw_bits,
    iterate_blocking,
    run_blocking,
    run_virtual,
    stream,
    uniform,
    unique_key,
)
from llmtest.errors import ConfigurationError, SimulationStateError


def test_a_virtual_clock_starts_at_new_year_2026():
    """The default epoch is a round moment, so that traces are comparable."""
    clock = VirtualClock()
    assert (clock.now_ns(), clock.elapsed()) == (0, 0.0)
    assert clock.now() == datetime(2026, 1, 1, tzinfo=UTC)
    assert clock.time_ns() == 1_767_225_600_000_000_000


def test_sleeping_moves_a_virtual_clock_at_once():
    """A blocking sleep is an addition."""
    clock = VirtualClock(datetime(2024, 2, 29, 23, 59, 59, tzinfo=UTC))
    clock.sleep(1.5)
    clock.sleep_ns(1)
    assert clock.now_ns() == 1_500_000_001
    assert clock.now() == datetime(2024, 3, 1, 0, 0, 0, 500_000, tzinfo=UTC)


def test_a_thousand_tenths_are_exactly_a_hundred():
    """Integers do not drift, as sums of floats do."""
    clock = VirtualClock()
    for _ in range(1000):
        clock.sleep(0.1)
    assert clock.elapsed() == 100.0


def test_a_virtual_clock_does_not_go_back():
    """Advancing by less than nothing is refused."""
    with pytest.raises(ConfigurationError) as caught:
        VirtualClock().advance(-1)
    assert str(caught.value) == (
        "virtual time cannot go back: advance(-1).\nTo fix: pass 0 or more seconds, or start a new clock."
    )


def test_an_epoch_needs_a_time_zone():
    """A naive epoch would mean another moment on another machine."""
    with pytest.raises(ConfigurationError, match="needs a time zone"):
        VirtualClock(datetime(2026, 1, 1))  # noqa: DTZ001 - the mistake under test


def test_shifting_the_epoch_leaves_elapsed_time_alone():
    """Wall time can be set without time passing."""
    clock = VirtualClock()
    clock.sleep(10)
    clock.shift_epoch(datetime(2020, 1, 1, tzinfo=UTC))
    clock.sleep(5)
    assert clock.elapsed() == 15.0
    assert clock.now() == datetime(2020, 1, 1, tzinfo=UTC) + timedelta(seconds=5)


def test_both_clocks_have_the_same_interface():
    """Code may take either."""
    assert isinstance(SystemClock(), Clock)
    assert isinstance(VirtualClock(), Clock)


def test_the_system_clock_is_the_machine_s():
    """Outside a simulation the active clock moves by itself and can be waited on."""
    clock = active_clock()
    assert isinstance(clock, SystemClock)
    before = clock.now_ns()
    clock.sleep(0)
    clock.sleep_ns(-5)
    asyncio.run(clock.sleep_async(0))
    asyncio.run(clock.sleep_async_ns(0))
    assert clock.now_ns() > before
    assert clock.elapsed() >= before / 1e9
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(seconds=5)
    assert abs(clock.time_ns() / 1e9 - datetime.now(UTC).timestamp()) < 5


def test_the_active_clock_is_the_running_loop_s():
    """Code inside `run_virtual` finds the clock it lives by."""
    clock = VirtualClock()

    async def main():
        return active_clock()

    assert run_virtual(main(), clock) is clock
    assert active_clock() is not clock


def test_a_virtual_clock_on_a_foreign_loop_moves_at_once():
    """Without a virtual loop nobody else can wait for it."""
    clock = VirtualClock()

    async def main():
        await clock.sleep_async(3)
        await clock.advance_async(4)

    asyncio.run(main())
    assert clock.elapsed() == 7.0


async def _wait_and_answer(waiter):
    await waiter.sleep_ns(5)
    return "answer"


def test_one_coroutine_serves_blocking_and_asynchronous_callers():
    """The waiter decides whether the coroutine suspends."""
    clock = VirtualClock()
    assert run_blocking(_wait_and_answer(BlockingWaiter(clock))) == "answer"
    assert run_virtual(_wait_and_answer(AsyncWaiter(clock)), clock) == "answer"
    assert clock.now_ns() == 10


def test_a_coroutine_that_suspends_cannot_be_run_blocking():
    """The mistake is named, and the coroutine is closed."""

    async def outer():
        await asyncio.sleep(0)

    with pytest.raises(SimulationStateError) as caught:
        run_blocking(outer())
    assert str(caught.value) == (
        "`test_a_coroutine_that_suspends_cannot_be_run_blocking.<locals>.outer` suspended while it was run without an "
        "event loop.\nTo fix: give it blocking parts only (`BlockingWaiter`, a synchronous transport), or await it."
    )


def test_closing_a_blocking_iteration_closes_its_source():
    """An abandoned stream still cleans up."""
    closed = []

    async def source():
        try:
            yield 1
            yield 2
        finally:
            closed.append(True)

    assert list(iterate_blocking(source())) == [1, 2]
    iterator = iterate_blocking(source())
    assert next(iterator) == 1
    iterator.close()
    assert closed == [True, True]


def test_a_failure_inside_a_blocking_iteration_comes_through():
    """The consumer sees the error of the source."""

    async def source():
        yield 1
        raise KeyError("lost")

    iterator = iterate_blocking(source())
    assert next(iterator) == 1
    with pytest.raises(KeyError):
        next(iterator)


def test_a_turn_is_one_operation_at_a_time():
    """What comes up in the middle of an operation sees that, and is done at its end, however that comes."""
    turn, done = Turn(), []
    with turn as is_free:
        done.append(is_free)
        with turn as is_free_within:
            done.append(is_free_within)
            turn.later(lambda: done.append("first"))
        turn.later(lambda: turn.later(lambda: done.append("of the second")) or done.append("second"))
        assert done == [True, False]
    assert done == [True, False, "first", "second", "of the second"]
    with suppress(ZeroDivisionError), turn:
        turn.later(lambda: done.append("after a failure"))
        raise ZeroDivisionError
    with turn as is_free:
        assert is_free
    assert done[5:] == ["after a failure"]
    with copy.copy(turn) as is_free, turn as is_free_too:
        assert (is_free, is_free_too) == (True, True)


def test_a_turn_keeps_other_threads_waiting():
    """Another thread's operation begins when this one's has ended, and what came up in it has been done."""
    turn, done = Turn(), []

    def work():
        with turn as is_free:
            done.append(is_free)

    with turn:
        turn.later(lambda: done.append("later"))
        other = threading.Thread(target=work)
        other.start()
        other.join(0.02)
        assert done == []
    other.join()
    assert done == ["later", True]


def test_a_virtual_clock_on_another_one_s_loop_moves_at_once():
    """A sleep on somebody else's clock leaves the loop's time where it is, and lets other tasks run."""
    mine, theirs = VirtualClock(), VirtualClock()
    seen = []

    async def story():
        task = asyncio.ensure_future(note())
        await mine.sleep_async(5)
        await task

    async def note():
        seen.append(mine.elapsed())

    run_virtual(story(), theirs)
    assert (mine.elapsed(), theirs.elapsed(), seen) == (5.0, 0.0, [5.0])


def test_a_unique_key_repeats_in_a_simulation_and_nowhere_else():
    """A virtual clock names alike in every run, never twice in one; the machine's entropy names the rest."""

    async def three():
        return [unique_key() for _ in range(3)]

    first, again = run_virtual(three(), VirtualClock()), run_virtual(three(), VirtualClock())
    outside = [unique_key() for _ in range(3)]
    assert first == again
    assert len({*first, *outside}) == 6
    assert {len(key) for key in (*first, *outside)} == {32}


def test_a_draw_depends_on_its_seed_and_key_alone():
    """Known values, so that no version or process may differ."""
    assert uniform(7, "noise", "openai", 3) == uniform(7, "noise", "openai", 3)
    assert uniform(7, "noise", "openai", 3) != uniform(7, "noise", "openai", 4)
    assert uniform(7, "noise") != uniform(8, "noise")
    assert uniform(0, 1) == 0.44803855270380577
    assert [stream(1, "arrivals").random(), stream(1, "latency").random()] == [0.05510267329592866, 0.7881557836687441]


def test_draws_are_spread_evenly():
    """A counter-based draw is as uniform as a generator."""
    draws = [uniform(1, "x", number) for number in range(4000)]
    assert all(0.0 <= draw < 1.0 for draw in draws)
    assert 0.48 < sum(draws) / len(draws) < 0.52


def test_bits_are_drawn_in_the_width_asked_for():
    """Identifiers need more bits than a float has."""
    assert draw_bits(1, "id", bits=3) < 8
    assert draw_bits(1, "id", bits=256).bit_length() > 200
    assert draw_bits(1, "id") == draw_bits(1, "id")
