"""`assert_attempts`, `assert_retries`, `assert_max_in_flight`."""

import pytest

from llmtest.errors import AmbiguousCallError, ConfigurationError
from llmtest.events import CacheHit
from llmtest.testing._assert_attempts import check_attempts, check_max_in_flight, check_retries
from llmtest.testing._history import attempts_of, count_calls
from tests.testing.handmade_traces import TraceBuilder, traced


def headline(error):
    """Return the first line of a failure."""
    return str(error.value).partition("\n")[0]


def test_requests_are_counted_by_provider_or_model():
    """Requests count, cache hits do not; the second positional argument means exactly."""
    builder = TraceBuilder().attempts("openai/a:500", "openai/b:200", "anthropic:200")
    trace = builder.event(CacheHit, 0, "openai", "a").trace
    check_attempts(trace, "openai", 2)
    check_attempts(trace, "openai/b", 1)
    check_attempts(trace, "openai", at_least=1, at_most=2)
    check_attempts(trace, "gemini", 0)


def test_a_wrong_count_lists_the_requests():
    """The failure names the provider, both numbers, and every request it received."""
    with pytest.raises(AssertionError) as caught:
        check_attempts(traced("openai/a:500", "openai/a:200"), "openai", at_least=3, at_most=4)
    assert str(caught.value).startswith(
        "assert_attempts: `openai` received 2 requests, expected at least 3 and at most 4.\n"
        "\n"
        "  openai/a:500\n"
        "  openai/a:200\n"
    )
    with pytest.raises(AssertionError) as caught:
        check_attempts(traced("openai:200"), "opena", 1)
    assert headline(caught) == (
        "assert_attempts: `opena` received 0 requests, expected exactly 1. Did you mean `openai`?"
    )


@pytest.mark.parametrize("check", [lambda trace: check_attempts(trace, "openai"), check_retries])
def test_an_assertion_without_a_number_is_refused(check):
    """An assertion that would accept anything is a mistake of the test."""
    with pytest.raises(ConfigurationError, match=r"was given no number, so it would accept anything\."):
        check(traced("openai:200"))


def test_retries_are_attempts_after_a_failure_on_the_same_target():
    """A retry repeats what failed in the same call; a fallback and a next question are none."""
    check_retries(traced("openai:500", "openai:500", "openai:200"), exactly=2)
    check_retries(traced("openai:500", "anthropic:200"), exactly=0)
    check_retries(traced("openai:200", "openai:200"), at_most=0)
    check_retries(traced("openai:500", "openai:200", "openai:500", "openai:200"), exactly=1)


def test_retries_are_counted_per_call():
    """Each logical call has its own count; `at_least` asks for some call, the others for every call."""
    trace = TraceBuilder().attempts("openai:500", "openai:200", call=1).attempts("openai:200", call=2).trace
    check_retries(trace, at_least=1, at_most=1)
    with pytest.raises(AssertionError) as caught:
        check_retries(trace, at_most=0)
    assert str(caught.value).startswith(
        "assert_retries: logical call 1 was retried 1 time, expected at most 0.\n"
        "\n"
        "  1 time: openai:500 -> openai:200\n"
        "  0 times: openai:200\n"
    )
    with pytest.raises(AssertionError) as caught:
        check_retries(trace, at_least=2)
    assert headline(caught) == "assert_retries: no logical call was retried 2 times; the most was 1."
    with pytest.raises(AssertionError) as caught:
        check_retries(traced("openai:500", "openai:500"), exactly=0)
    assert headline(caught) == ("assert_retries: the test's one implicit call was retried 1 time, expected exactly 0.")


def test_nothing_made_means_nothing_retried():
    """Without any call, only the expectation of no retries holds."""
    check_retries(traced(), at_most=3)
    check_retries(traced(), exactly=0)
    with pytest.raises(AssertionError) as caught:
        check_retries(traced(), exactly=1)
    assert headline(caught) == "assert_retries: no logical call was retried 1 time; the most was 0."


def test_overlapping_unmarked_calls_are_not_guessed():
    """Retries of overlapping calls cannot be told from first attempts."""
    builder = TraceBuilder()
    builder.receive("openai")
    builder.receive("openai")
    with pytest.raises(AmbiguousCallError, match="assert_retries cannot tell which requests belong together"):
        check_retries(builder.trace, at_most=0)


def test_requests_in_flight_are_counted_at_their_peak():
    """The highest number of requests under way at once must not pass the limit."""
    builder = TraceBuilder().attempts("openai:200")
    first, second, other = builder.receive("openai"), builder.receive("openai"), builder.receive("anthropic")
    builder.answer(first, "openai", "200")
    builder.answer(second, "openai", "200")
    builder.answer(other, "anthropic", "200")
    check_max_in_flight(builder.trace, "openai", 2)
    with pytest.raises(AssertionError) as caught:
        check_max_in_flight(builder.trace, "openai", 1)
    assert str(caught.value).startswith(
        "assert_max_in_flight: `openai` had 2 requests under way at once, expected at most 1.\n\n  first at 1.000 s\n"
    )


def test_calls_and_fallbacks_are_counted_without_guessing():
    """A marked call is one call; unmarked ones count by their answers; overlapping ones have no known fallback."""
    assert count_calls(attempts_of(traced("openai:429", "openai:200", "openai:200"))) == (2, 0)
    assert count_calls(attempts_of(traced("openai:429", "anthropic:200", "openai:500"))) == (2, 1)
    assert count_calls(attempts_of(traced("openai:429", "anthropic:200", "openai:200", call=4))) == (1, 1)
    builder = TraceBuilder()
    first, second = builder.receive("openai"), builder.receive("anthropic")
    builder.answer(first, "openai", "500")
    builder.answer(second, "anthropic", "200")
    assert count_calls(attempts_of(builder.trace)) == (1, 0)
