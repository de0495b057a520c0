"""Retries and timeouts in chain files: every key, the names that other systems have for them, and presets."""

import pytest

from llmtest.config import build_chain
from llmtest.errors import ScenarioError
from llmtest.resilience import RetryConfig
from tests.config.test_chain_files import Named


def place_of(**sections):
    """Return the only place of a chain."""
    (place,) = build_chain({**sections, "providers": [{"provider": Named("a")}]}).places
    return place


@pytest.mark.parametrize("name", ["none", "ironclaw", "llmkit_production", "conservative", "mofa", "caxton"])
def test_f104_a_preset_is_what_its_method_returns(name):
    """A name in a file and the class method of that name mean the same."""
    assert place_of(retry=name).retry == getattr(RetryConfig, name)()


def test_strategies_are_read():
    """Words for growth and jitter, times with units."""
    read = place_of(
        retry={"backoff": "linear", "jitter": "equal", "min_delay": "100ms", "rate_limit_delay": "1m"}
    ).retry
    assert read == RetryConfig(backoff="linear", jitter="equal", min_delay=0.1, rate_limit_delay=60)
    assert place_of(retry={"jitter": "500ms"}).retry.jitter == 0.5
    assert place_of(retry={"jitter": False}).retry.jitter is False


def test_f103_caxton_s_own_names_are_read():
    """Its policy, and its flat keys, with times in milliseconds."""
    words = {
        "max_attempts": 3,
        "initial_delay_ms": 1000,
        "max_delay_ms": 10000,
        "backoff_multiplier": 2.0,
        "jitter": "none",
        "retry_on_errors": ["timeout", "rate_limit", "server_error"],
    }
    assert place_of(retry=words).retry == RetryConfig.caxton()
    assert place_of(retry={"retry_attempts": 3, "retry_delay_ms": 1500}).retry == RetryConfig(
        max_retries=3, base_delay=1.5
    )
    chain = build_chain({"retry_attempts": 2, "retry_delay_ms": 250, "providers": [{"provider": Named("a")}]})
    assert chain.places[0].retry == RetryConfig(max_retries=2, base_delay=0.25)
    slot = {"provider": Named("a"), "retry_attempts": 1, "retry_delay_ms": 500}
    assert build_chain({"providers": [slot]}).places[0].retry == RetryConfig(max_retries=1, base_delay=0.5)


def test_f105_times_of_timeouts_may_be_in_milliseconds():
    """Each limit has a name that says so."""
    place = place_of(timeouts={"connect_ms": 500, "read_ms": 1500, "total_ms": "2s"})
    assert (place.timeouts.connect, place.timeouts.read, place.timeouts.total) == (0.5, 1.5, 2.0)


def test_h05_a_least_speed_is_read():
    """In tokens or characters, over a window."""
    pace = place_of(timeouts={"min_tokens_per_second": 2, "throughput_window": "20s"}).pace
    assert (pace.characters, pace.window) == (8.0, 20.0)


def test_a_schema_for_answers_is_read():
    """`prompt_retry` has a JSON Schema, and streams are then held."""
    chain = build_chain(
        {
            "prompt_retry": {"json_schema": {"type": "object"}, "max_attempts": 2},
            "providers": [{"provider": Named("a")}],
        }
    )
    assert chain.places[0].name == "a"


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"retry": "polly"}, "unknown preset `polly`"),
        ({"retry": {"backoff": "cubic"}}, "unknown backoff `cubic`"),
        ({"retry": {"backoff": "fixed", "multiplier": 3}}, "multiplier=3.0 decides nothing"),
        ({"retry": {"base_delay": "1s", "retry_delay_ms": 5}}, "takes `base_delay` or `retry_delay_ms`, not both"),
        ({"retry": {"max_attempts": 2, "retry_attempts": 5}}, "takes `max_attempts` or `retry_attempts`, not both"),
        ({"retry": {"retry_on": ["auth_error"]}}, "`auth_error` does not pass"),
        ({"retry": {"max_attempts": 2}, "retry_attempts": 5}, "takes `retry` or `retry_attempts`, not both"),
        ({"timeouts": {"read": "1s", "read_ms": 5}}, "takes `read` or `read_ms`, not both"),
        ({"timeouts": {"throughput_window": "5s"}}, "throughput_window=5.0 decides nothing without a speed"),
        ({"prompt_retry": {"json_schema": {"type": "thing"}}}, "the JSON Schema is wrong"),
        ({"prompt_retry": {"json_schema": {}, "max_attempts": 1}}, "max_attempts must be 2 or more, got 1"),
    ],
)
def test_what_contradicts_itself_is_refused_where_it_stands(sections, message):
    """The same words as in Python, at the section's place in the file."""
    with pytest.raises(ScenarioError) as refused:
        place_of(**sections)
    assert message in str(refused.value)
