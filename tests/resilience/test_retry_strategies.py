"""How waits grow and are drawn, what is retried at all, and the numbers of other systems."""

from itertools import pairwise

import pytest

from llmtest.errors import (
    AllProvidersFailedError,
    ConfigurationError,
    InvalidResponseError,
    ProviderConnectionError,
    ProviderTimeoutError,
    RateLimitedError,
    ServerError,
    StreamInterruptedError,
)
from llmtest.events import RetryScheduled
from llmtest.resilience import FallbackChain, RetryCondition, RetryConfig
from tests.resilience.scripted_provider import ScriptedProvider, down, limited, refused_key


def waits(config, draw=0.5, count=5):
    """Return the waits before the first retries, all drawn alike."""
    found, previous = [], 0.0
    for retry in range(1, count + 1):
        previous = config.delay(down(), retry, draw, previous)
        found.append(previous)
    return found


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        pytest.param({"backoff": "fixed"}, [1, 1, 1, 1, 1], id="fixed"),
        pytest.param({"backoff": "linear"}, [1, 2, 3, 4, 5], id="linear"),
        pytest.param({"backoff": "exponential"}, [1, 2, 4, 8, 10], id="exponential"),
        pytest.param({"multiplier": 3.0}, [1, 3, 9, 10, 10], id="exponential-by-three"),
        pytest.param({"min_delay": 3}, [3, 3, 4, 8, 10], id="with-a-floor"),
        pytest.param({"max_delay": 2}, [1, 2, 2, 2, 2], id="with-a-cap"),
    ],
)
def test_f104_waits_grow_as_they_are_told(settings, expected):
    """Fixed, linear and exponential, between the shortest and the longest wait."""
    assert waits(RetryConfig(jitter="none", **settings)) == expected


@pytest.mark.parametrize(
    ("jitter", "lowest", "middle"),
    [
        pytest.param("full", 0.0, 2.0, id="full"),
        pytest.param(True, 0.0, 2.0, id="true"),
        pytest.param("equal", 2.0, 3.0, id="equal"),
        pytest.param("quarter", 3.0, 4.0, id="quarter"),
        pytest.param("none", 4.0, 4.0, id="none"),
        pytest.param(False, 4.0, 4.0, id="false"),
        pytest.param(0.5, 4.0, 4.25, id="seconds"),
        pytest.param(0, 4.0, 4.0, id="no-seconds"),
    ],
)
def test_r04_waits_are_drawn_and_then_cut(jitter, lowest, middle):
    """Each jitter has its lowest and middle wait, and none passes the cap."""
    config = RetryConfig(base_delay=4, jitter=jitter)
    assert (config.delay(down(), 1, 0.0), config.delay(down(), 1, 0.5)) == (lowest, middle)
    for retry in range(1, 40):
        assert config.delay(down(), retry, 0.999999) <= config.max_delay


def test_decorrelated_waits_follow_from_the_last_one():
    """Each is drawn from the base to three times the last; the first from the base to three times that."""
    config = RetryConfig(backoff="decorrelated", max_delay=100)
    assert waits(config, draw=0.0) == [1, 1, 1, 1, 1]
    assert waits(config, draw=0.5) == [2, 3.5, 5.75, 9.125, 14.1875]
    assert max(waits(config, draw=0.999, count=12)) == 100


def test_decorrelated_waits_are_drawn_anew_in_each_call(world, mode):
    """A chain waits as configured, and the next call begins with the base again."""
    provider = ScriptedProvider("a", down())
    retry = RetryConfig(backoff="decorrelated", max_attempts=6, max_delay=1000)
    chain = FallbackChain([provider], retry=retry, circuit_breaker=None, seed=7)
    for _ in range(2):
        world.fail(chain, mode)
    delays = [event.delay for event in world.events(RetryScheduled)]
    for half in (delays[:5], delays[5:]):
        assert 1 <= half[0] <= 3
        assert all(1 <= later <= 3 * earlier for earlier, later in pairwise(half))


CONDITIONS = {
    RetryCondition.RATE_LIMITED: RateLimitedError("x", status=429),
    RetryCondition.SERVER_ERROR: ServerError("x", status=500),
    RetryCondition.NETWORK_ERROR: ProviderConnectionError("x"),
    RetryCondition.TIMEOUT: ProviderTimeoutError("x"),
    RetryCondition.INVALID_RESPONSE: InvalidResponseError("x"),
}


@pytest.mark.parametrize("condition", list(RetryCondition))
def test_f103_only_the_named_failures_are_retried(world, mode, condition):
    """Each condition is retried where it is named, and is not where another one is."""
    for named in RetryCondition:
        provider = ScriptedProvider("a", CONDITIONS[condition], "ok")
        retry = RetryConfig(jitter=False, retry_on=[named])
        chain = FallbackChain([provider], retry=retry, circuit_breaker=None)
        if named is condition:
            assert world.ask(chain, mode).content == "ok"
        else:
            assert world.fail(chain, mode) is not None
        assert len(provider.requests) == 1 + (named is condition)


def test_a_name_does_not_overrule_the_provider_or_the_commit_point():
    """What a provider says is hopeless, and a stream that somebody has seen, are not retried by any name."""
    config = RetryConfig(retry_on=list(RetryCondition))
    hopeless = ServerError("x", status=503)
    hopeless.should_retry = False
    seen = StreamInterruptedError("x")
    seen.visible = True
    assert not config.allows(hopeless, 1, 0)
    assert not config.allows(seen, 1, 0)
    assert config.allows(StreamInterruptedError("x"), 1, 0)
    assert not config.allows(refused_key(), 1, 0)
    assert config.allows(AllProvidersFailedError("x", [("a", refused_key()), ("b", down())]), 1, 0)


def test_f100_max_retries_do_not_count_the_first_attempt():
    """IronClaw's three retries are four attempts."""
    assert RetryConfig.ironclaw().max_attempts == 4


def test_f101_ironclaw_s_waits():
    """1 s doubling with a quarter less or more, never below 100 ms; after a 429 what is asked for, else a minute."""
    config = RetryConfig.ironclaw()
    assert [config.delay(down(), retry, 0.0) for retry in (1, 2, 3)] == [0.75, 1.5, 3.0]
    assert [config.delay(down(), retry, 0.5) for retry in (1, 2, 3)] == [1.0, 2.0, 4.0]
    assert config.delay(limited(), 1, 0.5) == 60.0
    assert config.delay(limited(7), 1, 0.5) == 7.0
    assert config.allows(limited(3600), 1, 0)
    assert not config.allows(limited(3601), 1, 0)
    assert RetryConfig(base_delay=0.01, min_delay=0.1).delay(down(), 1, 0.5) == 0.1


def test_f102_llmkit_s_presets():
    """Ten retries up to 300 s, three up to 30 s, none at all; jitter never passes the longest wait."""
    production, careful, never = RetryConfig.llmkit_production(), RetryConfig.conservative(), RetryConfig.none()
    assert (production.max_attempts, production.delay(down(), 10, 0.999)) == (11, 300.0)
    assert (careful.max_attempts, careful.delay(down(), 10, 0.999)) == (4, 30.0)
    assert never.max_attempts == 1
    assert not production.allows(limited(301), 1, 0)


def test_f103_caxton_s_policy():
    """3 attempts, 1 s doubling to 10 s, after timeouts, rate limits and server errors alone."""
    config = RetryConfig.caxton()
    assert waits(config) == [1, 2, 4, 8, 10]
    assert config.max_attempts == 3
    assert config.retry_on == ("timeout", "rate_limited", "server_error")
    assert not config.allows(ProviderConnectionError("x"), 1, 0)


def test_f104_mofa_s_policy():
    """3 attempts, 1 s doubling to 30 s and up to 500 ms more; unreadable answers too, timeouts not."""
    config = RetryConfig.mofa()
    assert [config.delay(down(), retry, 0.5) for retry in (1, 2, 9)] == [1.25, 2.25, 30.0]
    assert config.max_attempts == 3
    assert config.allows(InvalidResponseError("x"), 1, 0)
    assert not config.allows(ProviderTimeoutError("x"), 1, 1)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"backoff": "cubic"}, "backoff is `fixed`, `linear`, `exponential` or `decorrelated`, got 'cubic'"),
        ({"jitter": "some"}, "jitter is `none`, `equal`, `full` or `quarter`, or 0 or more seconds, got 'some'"),
        ({"jitter": -1.0}, "jitter is `none`, `equal`, `full` or `quarter`, or 0 or more seconds, got -1.0"),
        ({"jitter": float("inf")}, "jitter is `none`, `equal`, `full` or `quarter`, or 0 or more seconds, got inf"),
        ({"min_delay": -1}, "min_delay must be 0 or more seconds, got -1"),
        ({"min_delay": 11}, "min_delay must be 0 to max_delay=10.0 seconds, got 11"),
        ({"rate_limit_delay": -1}, "rate_limit_delay must be 0 or more seconds, got -1"),
        (
            {"retry_on": ["timeouts"]},
            (
                "retry_on: `timeouts` is no condition. Known conditions: rate_limited, server_error, network_error, "
                "timeout, invalid_response"
            ),
        ),
    ],
)
def test_a_value_out_of_range_is_refused_when_built(settings, message):
    """The option, the value and the legal range."""
    with pytest.raises(ConfigurationError) as refused:
        RetryConfig(**settings)
    assert str(refused.value) == message


@pytest.mark.parametrize(
    ("settings", "start", "fixed"),
    [
        pytest.param(
            {"backoff": "fixed", "multiplier": 3.0},
            "multiplier=3.0 decides nothing, because backoff='fixed' does not multiply",
            {"backoff": "exponential", "multiplier": 3.0},
            id="fixed-and-multiplier",
        ),
        pytest.param(
            {"backoff": "decorrelated", "jitter": "equal"},
            "backoff=\"decorrelated\" draws its waits by itself, so that jitter='equal' would not hold",
            {"backoff": "decorrelated"},
            id="decorrelated-and-jitter",
        ),
        pytest.param({"retry_on": []}, "retry_on is empty, so that nothing would be retried", {}, id="nothing"),
        pytest.param(
            {"retry_on": ["auth_error"]},
            "retry_on: `auth_error` does not pass when the same provider is asked again",
            {},
            id="hopeless",
        ),
    ],
)
def test_settings_that_contradict_each_other_are_refused_with_a_way_out(settings, start, fixed):
    """What contradicts what, and what to write instead, which then is accepted."""
    with pytest.raises(ConfigurationError) as refused:
        RetryConfig(**settings)
    assert str(refused.value).startswith(start)
    assert "\nTo fix: " in str(refused.value)
    RetryConfig(**fixed)
