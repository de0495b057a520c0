"""Two hundred callers through an outage that comes and goes: no herd, bounded load, deadlines kept, nothing left."""

import asyncio
from collections import Counter

import pytest

from llmtest.clock import active_clock
from llmtest.errors import LLMTestError
from llmtest.resilience import STRATEGIES, CircuitBreakerConfig, FallbackChain, RetryConfig, TimeoutConfig
from tests.resilience.scripted_provider import ScriptedProvider, Slow, World, ask, down

CALLERS, SECONDS, PAUSE, DEADLINE = 200, 120, 6, 8
PERIOD = 60
"""The primary is down for the first half of every such time."""


class Flapping(ScriptedProvider):
    """A provider that is down for the first half of every minute."""

    async def _play(self, request, timeouts, sleep):
        is_down = active_clock().elapsed() % PERIOD < PERIOD / 2
        self.steps = [Slow(0.5, down() if is_down else "ok")]
        return await super()._play(request, timeouts, sleep)


def through_the_outage(strategy):
    """Let 200 callers ask every few seconds; return the primary, how calls ended, the longest one and what is left."""
    world = World()
    flapping, steady = Flapping("a"), ScriptedProvider("b", Slow(0.3))
    chain = FallbackChain(
        [flapping, steady],
        strategy=strategy,
        retry=RetryConfig(max_attempts=2, base_delay=0.5),
        circuit_breaker=CircuitBreakerConfig(failure_threshold=5, recovery_timeout=10),
        timeouts=TimeoutConfig(deadline=DEADLINE),
        seed=3,
    )
    ended, longest = Counter(), 0.0

    async def caller(number):
        nonlocal longest
        await asyncio.sleep(number * PAUSE / CALLERS)
        while active_clock().elapsed() < SECONDS:
            begun = active_clock().elapsed()
            try:
                await ask(chain)
                ended["ok"] += 1
            except LLMTestError as error:
                ended[type(error).__name__] += 1
            longest = max(longest, active_clock().elapsed() - begun)
            await asyncio.sleep(PAUSE)

    async def story():
        await asyncio.gather(*(caller(number) for number in range(CALLERS)))
        return asyncio.all_tasks() - {asyncio.current_task()}

    left = world.run(story())
    return flapping, chain, ended, longest, left


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_200_callers_through_a_flapping_outage(strategy):
    """Every call is answered in time; while it is down the primary gets single probes after a first burst."""
    flapping, chain, ended, longest, left = through_the_outage(strategy)
    assert set(ended) == {"ok"}
    assert ended["ok"] > CALLERS * SECONDS / PAUSE / 2
    assert longest <= DEADLINE
    assert (left, flapping.in_flight) == (set(), 0)
    down_times = [at for at in flapping.starts if at % PERIOD < PERIOD / 2]
    # What was under way when it went down, and the retries of that; then a probe in ten seconds, asked twice at most.
    for outage in range(SECONDS // PERIOD):
        late = [at for at in down_times if 5 <= at - outage * PERIOD < PERIOD / 2]
        assert len(late) <= 2 * 3
    metrics = chain.metrics()
    total = metrics.requests_total
    assert len(flapping.requests) + len(chain.places[1].provider.requests) <= 1.5 * total
    assert metrics.provider("a").successes > 0


def test_two_runs_through_it_are_one():
    """The same seed, the same outage: the same requests at the same times."""
    first, second = through_the_outage("load_balance")[0], through_the_outage("load_balance")[0]
    assert first.starts == second.starts
