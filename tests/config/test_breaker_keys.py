"""The circuit breaker in chain files: every key, the names that other systems have for them, and presets."""

import pytest

from llmtest.config import build_chain
from llmtest.errors import ScenarioError
from llmtest.resilience import CircuitBreakerConfig
from tests.config.test_chain_files import Named


def config_of(value):
    """Return the settings of the only circuit of a chain."""
    (place,) = build_chain({"circuit_breaker": value, "providers": [{"provider": Named("a")}]}).places
    return place.breaker.config


@pytest.mark.parametrize("name", ["mofa", "ironclaw", "llmkit", "caxton"])
def test_a_preset_is_what_its_method_returns(name):
    """A name in a file and the class method of that name mean the same."""
    assert config_of(name) == getattr(CircuitBreakerConfig, name)()


def test_windows_are_read_with_their_units():
    """Shares as percent, times with units or in seconds."""
    read = config_of({"failure_rate": "50%", "window_seconds": "1m", "minimum_calls": 20, "restoration": 90})
    assert read == CircuitBreakerConfig(failure_rate=0.5, window_seconds=60, minimum_calls=20, restoration=90)
    slow = config_of({"slow_call_rate": 0.25, "slow_call_duration": "20s", "window_calls": "1k"})
    assert slow == CircuitBreakerConfig(slow_call_rate=0.25, slow_call_duration=20, window_calls=1000)


def test_f095_llmkit_s_own_names_are_read():
    """The four numbers as llmkit writes them."""
    words = {
        "failure_threshold_z_score": 2.5,
        "half_open_requests": 10,
        "success_rate_threshold": 0.8,
        "history_size": 1000,
        "recovery_timeout": 60,
    }
    assert config_of(words) == CircuitBreakerConfig.llmkit()


def test_f096_caxton_s_own_names_are_read():
    """Its `success_threshold`, and times in milliseconds."""
    read = config_of(
        {"failure_threshold": 5, "success_threshold": 2, "recovery_timeout_ms": 30000, "restoration": "60s"}
    )
    assert read == CircuitBreakerConfig.caxton()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            {"half_open_successes": 2, "success_threshold": 2},
            "takes `half_open_successes` or `success_threshold`, not both",
        ),
        (
            {"recovery_timeout": 5, "recovery_timeout_ms": 5},
            "takes `recovery_timeout` or `recovery_timeout_ms`, not both",
        ),
        ({"failure_threshold": 3, "failure_rate": 0.5}, "failure_threshold=3 counts failures in a row"),
        ({"window_seconds": 60}, "window_seconds=60.0 decides nothing without a rule for the window"),
        ({"failure_rate": 0}, "failure_rate must be above 0.0 and up to 1.0, got 0.0"),
        ({"failure_rate": 2}, "`2` is not a share"),
        ("polly", "unknown preset `polly`"),
        ({"failure_rte": 0.5}, "Did you mean `failure_rate`?"),
    ],
)
def test_what_contradicts_itself_is_refused_where_it_stands(value, message):
    """The same words as in Python, at the section's place in the file."""
    with pytest.raises(ScenarioError) as refused:
        config_of(value)
    assert "circuit_breaker" in str(refused.value)
    assert message in str(refused.value)
