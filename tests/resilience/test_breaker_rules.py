"""Circuits that look at a window of calls, at how long calls take, or at what is unusual; and their settings."""

import asyncio
from contextlib import suppress

import pytest

from llmtest.errors import ConfigurationError, InvalidRequestError, ServerError
from llmtest.events import BreakerChanged, describe
from llmtest.resilience import CircuitBreakerConfig, FallbackChain, RetryConfig, TimeoutConfig
from tests.resilience.kept_elsewhere import breaker_of, circuit_store
from tests.resilience.scripted_provider import REQUEST, Cut, ScriptedProvider, Slow, ask, down

SECOND = 1_000_000_000


def chain_of(*providers, **rules):
    """Return a chain without retries whose circuits have these rules."""
    config = CircuitBreakerConfig(**rules)
    return FallbackChain(providers, retry=None, circuit_breaker=config, breaker_store=circuit_store())


def play(breaker, calls, at_s=0.0, every_s=0.0, took_s=0.0):
    """Let calls end one after the other, `x` failed and any other letter well; return the circuit's state after it."""
    for number, call in enumerate(calls):
        now_ns = round((at_s + number * every_s) * SECOND)
        admission = breaker.admit(now_ns)
        took_ns = round(took_s * SECOND)
        if call == "x":
            breaker.failure(admission, now_ns, down(), took_ns)
        else:
            breaker.success(admission, now_ns, took_ns)
    return breaker.state


def test_f090_mofa_opens_after_three_failures_for_thirty_seconds(world, mode):
    """MoFA's numbers, circuit by circuit: three failures of one slot open that slot's circuit for 30 s."""
    provider = ScriptedProvider("a", down())
    chain = FallbackChain([provider, ScriptedProvider("b")], retry=None, circuit_breaker=CircuitBreakerConfig.mofa())
    for _ in range(5):
        world.ask(chain, mode)
    assert len(provider.requests) == 3
    assert (chain.breaker("a").state, chain.breaker("b").state) == ("open", "closed")
    (opened,) = world.events(BreakerChanged)
    assert (opened.count, opened.open_for) == (3, 30.0)


def test_f091_the_state_machine_goes_every_way():
    """Closed, open, half open and back, by each of its edges."""
    breaker = breaker_of("a", CircuitBreakerConfig.mofa())
    assert play(breaker, "xxo") == "closed"
    assert breaker.failures == 0
    assert play(breaker, "xxx") == "open"
    assert play(breaker, "x", at_s=30) == "open"
    assert breaker.available_at_ns == 60 * SECOND
    assert play(breaker, "o", at_s=60) == "closed"
    assert breaker.failures == 0


def test_f092_f093_ironclaw_has_two_half_open_numbers_and_tokens():
    """Five failures, three probes at a time, two successes; what was admitted before a change counts no more."""
    config = CircuitBreakerConfig.ironclaw()
    assert (config.failure_threshold, config.half_open_max_calls, config.half_open_successes) == (5, 3, 2)
    breaker = breaker_of("a", config)
    early = breaker.admit(0)
    assert play(breaker, "xxxxx") == "open"
    breaker.success(early, 1)
    assert breaker.state == "open"
    assert play(breaker, "o", at_s=30) == "half_open"
    assert play(breaker, "o", at_s=30) == "closed"


def test_f094_what_is_retried_and_what_counts_are_two_questions(world, mode):
    """A 429 is retried and does not count; a provider error of no known kind counts and is not retried."""
    from llmtest.errors import ProviderError, RateLimitedError

    provider = ScriptedProvider("a", RateLimitedError("x", status=429), "ok", ProviderError("odd"), "ok")
    chain = FallbackChain(
        [provider], retry=RetryConfig(jitter=False), circuit_breaker=CircuitBreakerConfig(failure_threshold=1)
    )
    assert world.ask(chain, mode).content == "ok"
    assert chain.breaker("a").state == "closed"
    world.fail(chain, mode)
    assert (len(provider.requests), chain.breaker("a").state) == (3, "open")


def test_a_failure_rate_opens_it(world, mode):
    """Half of the last calls failed: it opens at the failure that makes it half, and not before there are enough."""
    provider = ScriptedProvider("a", "ok", down(), "ok", down(), "ok", down(), "ok")
    chain = chain_of(provider, failure_rate=0.5, window_calls=6, minimum_calls=6)
    for _ in range(6):
        with suppress(ServerError):
            world.ask(chain, mode)
    (opened,) = world.events(BreakerChanged)
    assert (opened.cause, opened.count, opened.calls, opened.outcome) == ("failure_rate", 3, 6, "503")
    assert describe(opened)[1] == "closed -> open: 3 of 6 calls failed, the last: 503"
    world.clock.advance(30)
    assert world.ask(chain, mode).content == "ok"
    assert chain.breaker("a").failures == 0


@pytest.mark.parametrize(
    ("calls", "state"),
    [
        pytest.param("xxxx", "closed", id="too-few"),
        pytest.param("xxxxx", "open", id="enough"),
        pytest.param("ooooooxxxx", "closed", id="below-the-rate"),
        pytest.param("oooooxxxxx", "open", id="at-the-rate"),
        pytest.param("xxxxo" + "o" * 10 + "xxxx", "closed", id="old-failures-have-left"),
        pytest.param("oooooxxxxo", "closed", id="never-at-a-success"),
    ],
)
def test_a_window_of_calls_holds_the_last_ones(calls, state):
    """The last ten calls count, once there are five of them."""
    config = CircuitBreakerConfig(failure_rate=0.5, window_calls=10, minimum_calls=5)
    assert play(breaker_of("a", config), calls) == state


@pytest.mark.parametrize(
    ("every_s", "state"), [pytest.param(0.5, "open", id="dense"), pytest.param(4.0, "closed", id="sparse")]
)
def test_a_window_of_seconds_forgets_by_time(every_s, state):
    """Ten failures within ten seconds open it; the same failures over forty do not."""
    config = CircuitBreakerConfig(failure_rate=0.5, window_seconds=10, minimum_calls=5)
    assert play(breaker_of("a", config), "x" * 4 + "xxxxxx" * (every_s > 1), every_s=every_s) == "closed"
    breaker = breaker_of("a", config)
    if state == "open":
        assert play(breaker, "xxxxx", every_s=every_s) == state
    else:
        assert play(breaker, "x" * 10, every_s=every_s) == state
        assert breaker.failures == 3


def test_slow_calls_open_it_although_they_are_answered(world, mode):
    """Answers that take 20 s count as slow; half of them open the circuit, and the caller has them all the same."""
    provider = ScriptedProvider("a", Slow(20), "ok", Slow(20), Slow(20))
    chain = chain_of(provider, slow_call_rate=0.5, slow_call_duration=20, window_calls=4, minimum_calls=4)
    for _ in range(4):
        assert world.ask(chain, mode).content == "ok"
    (opened,) = world.events(BreakerChanged)
    assert (opened.cause, opened.count, opened.calls, opened.outcome, opened.error_class) == (
        "slow_calls",
        3,
        4,
        "slow",
        None,
    )
    world.clock.advance(30)
    world.ask(chain, mode)
    assert [event.to_state for event in world.events(BreakerChanged)] == ["open", "half_open", "open"]
    assert describe(world.events(BreakerChanged)[-1])[1] == "half_open -> open: a probe failed: slow"


def test_a_slow_reader_makes_no_slow_call(world):
    """A stream is slow until its first visible piece; how fast the caller reads is not the provider's business."""
    chain = chain_of(ScriptedProvider("a", "one two three"), slow_call_rate=0.1, slow_call_duration=5, minimum_calls=1)

    async def read_slowly():
        async for _ in chain.stream_async(REQUEST):
            await asyncio.sleep(10)

    world.run(read_slowly())
    assert chain.breaker("a").state == "closed"


def test_broken_streams_count_in_a_window(world):
    """A stream that broke after its first piece is a failed call of the window."""
    provider = ScriptedProvider("a", Cut("one two"))
    chain = chain_of(provider, failure_rate=1.0, window_calls=3, minimum_calls=3)
    for _ in range(3):
        world.fail(chain, "stream")
    assert chain.breaker("a").state == "open"


def test_what_proves_nothing_is_not_in_the_window(world, mode):
    """A wrong request is neither a failed call of the window nor one that went well."""
    chain = chain_of(
        ScriptedProvider("a", down(), InvalidRequestError("no", status=400), down()),
        failure_rate=1.0,
        window_calls=2,
        minimum_calls=2,
    )
    for _ in range(3):
        world.fail(chain, mode)
    assert chain.breaker("a").state == "open"


@pytest.mark.parametrize(
    ("calls", "state"),
    [
        pytest.param("o" * 500 + "x", "closed", id="one-failure-after-a-quiet-time"),
        pytest.param("o" * 500 + "xx", "closed", id="two"),
        pytest.param("o" * 500 + "xxx", "open", id="three"),
        pytest.param("xo" * 250 + "x" * 7, "closed", id="usual-here"),
        pytest.param("xo" * 250 + "x" * 8, "open", id="not-usual-even-here"),
        pytest.param("x" * 8, "closed", id="too-few"),
        pytest.param("x" * 10, "open", id="all-from-the-start"),
    ],
)
def test_f095_a_z_score_opens_at_what_is_unusual(calls, state):
    """With llmkit's 2.5 standard deviations, what is unusual depends on what was usual."""
    breaker = breaker_of("a", CircuitBreakerConfig.llmkit())
    assert play(breaker, calls) == state


def test_f095_ten_probes_are_tried_and_eight_must_succeed():
    """Two failed probes are allowed, the third opens it again; the eighth success closes it."""
    config = CircuitBreakerConfig.llmkit()
    assert (config.failure_z_score, config.window_calls, config.half_open_max_calls) == (2.5, 1000, 10)
    breaker = breaker_of("a", config)
    assert play(breaker, "x" * 10) == "open"
    assert play(breaker, "xooooxoo", at_s=60) == "half_open"
    assert play(breaker, "oo", at_s=60) == "closed"
    assert play(breaker, "x" * 10, at_s=61) == "open"
    assert play(breaker, "xoxx", at_s=121) == "open"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"failure_threshold": 0}, "failure_threshold must be 1 or more, got 0"),
        ({"failure_rate": 0}, "failure_rate must be above 0.0 and up to 1.0, got 0"),
        ({"failure_rate": 1.5}, "failure_rate must be above 0.0 and up to 1.0, got 1.5"),
        ({"failure_rate": float("nan")}, "failure_rate must be above 0.0 and up to 1.0, got nan"),
        ({"failure_rate": 0.5, "window_calls": 0}, "window_calls must be 1 or more, got 0"),
        ({"failure_rate": 0.5, "window_seconds": 0}, "window_seconds must be more than 0 seconds, got 0"),
        ({"failure_rate": 0.5, "minimum_calls": 0}, "minimum_calls must be 1 or more, at most window_calls=100, got 0"),
        (
            {"failure_rate": 0.5, "window_calls": 5, "minimum_calls": 6},
            "minimum_calls must be 1 or more, at most window_calls=5, got 6",
        ),
        (
            {"slow_call_rate": 0.5, "slow_call_duration": 0},
            "slow_call_duration must be more than 0 seconds, got 0",
        ),
        ({"failure_z_score": -1}, "failure_z_score must be more than 0, got -1"),
        ({"failure_z_score": float("inf")}, "failure_z_score must be more than 0, got inf"),
        ({"restoration": -1}, "restoration must be 0 or more seconds, got -1"),
        ({"restoration": 5, "restoration_share": 0}, "restoration_share must be above 0.0 and up to 1.0, got 0"),
        ({"half_open_success_rate": 1.1}, "half_open_success_rate must be above 0.0 and up to 1.0, got 1.1"),
    ],
)
def test_a_value_out_of_range_is_refused_when_built(settings, message):
    """The option, the value and the legal range."""
    with pytest.raises(ConfigurationError) as refused:
        CircuitBreakerConfig(**settings)
    assert str(refused.value) == message


@pytest.mark.parametrize(
    ("settings", "start", "fixed"),
    [
        pytest.param(
            {"failure_threshold": 5, "failure_rate": 0.5},
            "failure_threshold=5 counts failures in a row, and failure_rate=0.5 looks at a window of calls",
            {"failure_rate": 0.5},
            id="row-and-rate",
        ),
        pytest.param(
            {"failure_rate": 0.5, "window_calls": 10, "window_seconds": 60},
            "a window holds window_calls=10 or spans window_seconds=60, not both",
            {"failure_rate": 0.5, "window_seconds": 60},
            id="two-windows",
        ),
        pytest.param(
            {"window_seconds": 60},
            "window_seconds=60 decides nothing without a rule for the window",
            {"window_seconds": 60, "failure_rate": 0.5},
            id="window-without-a-rule",
        ),
        pytest.param(
            {"slow_call_duration": 5},
            "slow_call_duration=5 decides nothing without a rule for the window",
            {"slow_call_duration": 5, "slow_call_rate": 0.5},
            id="slow-without-a-rate",
        ),
        pytest.param(
            {"slow_call_rate": 0.5},
            "slow_call_rate=0.5 needs slow_call_duration, without which no call is slow enough to count",
            {"slow_call_rate": 0.5, "slow_call_duration": 10.0},
            id="rate-without-slow",
        ),
        pytest.param(
            {"failure_rate": 0.5, "slow_call_duration": 5},
            "slow_call_duration=5 needs slow_call_rate",
            {"failure_rate": 0.5, "slow_call_duration": 5, "slow_call_rate": 0.5},
            id="slow-beside-another-rate",
        ),
        pytest.param(
            {"failure_z_score": 2.5, "window_seconds": 60},
            "failure_z_score compares the last calls with those before them",
            {"failure_z_score": 2.5, "window_calls": 1000},
            id="z-score-of-seconds",
        ),
        pytest.param(
            {"half_open_success_rate": 0.8, "half_open_successes": 3},
            "half_open_success_rate=0.8 and half_open_successes=3 both say how many probes must succeed",
            {"half_open_success_rate": 0.8},
            id="two-ways-to-close",
        ),
    ],
)
def test_settings_that_contradict_each_other_are_refused_with_a_way_out(settings, start, fixed):
    """What contradicts what, and what to write instead, which then is accepted."""
    with pytest.raises(ConfigurationError) as refused:
        CircuitBreakerConfig(**settings)
    assert str(refused.value).startswith(start)
    assert "\nTo fix: " in str(refused.value)
    CircuitBreakerConfig(**fixed)


def test_timeouts_count_in_a_window(world, mode):
    """An attempt that was too slow for its limit failed, and was slow."""
    chain = FallbackChain(
        [ScriptedProvider("a", Slow(60))],
        retry=None,
        timeouts=TimeoutConfig(total=10),
        circuit_breaker=CircuitBreakerConfig(failure_rate=1.0, minimum_calls=2),
    )
    for _ in range(2):
        world.fail(chain, mode)
    (opened,) = world.events(BreakerChanged)
    assert opened.outcome == "timeout"


def test_a_circuit_inside_retry_sees_each_attempt_in_its_window(world):
    """Two attempts of one call are two calls of the window."""
    chain = FallbackChain(
        [ScriptedProvider("a", down(), "ok", down(), "ok")],
        retry=RetryConfig(jitter=False),
        circuit_breaker=CircuitBreakerConfig(failure_rate=0.5, minimum_calls=3),
        breaker_inside_retry=True,
    )

    async def story():
        await ask(chain)
        await ask(chain)

    with suppress(ServerError):
        world.run(story())
    assert chain.breaker("a").state == "open"
