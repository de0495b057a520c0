"""`assert_sequence`: exact, unordered, with gaps, and what it says when it fails."""

import pytest

from llmtest.errors import ConfigurationError
from llmtest.events import CacheHit, CircuitSkipped
from llmtest.testing import unordered
from llmtest.testing._assert_sequence import check_sequence
from tests.testing.handmade_traces import TraceBuilder, traced


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param(("openai:429", "openai:200"), id="provider"),
        pytest.param(("openai/gpt-4o:429", "openai/gpt-4o:200"), id="model"),
        pytest.param((unordered("openai:200", "openai:429"),), id="unordered"),
    ],
)
def test_the_made_attempts_pass(steps):
    """Attempts in the expected order pass, with or without their model, or in any order where that is allowed."""
    check_sequence(traced("openai/gpt-4o:429", "openai/gpt-4o:200"), steps)


def test_a_wrong_outcome_shows_both_columns_and_the_trace():
    """The failure says which attempt differed, prints both sequences, the way out, and the whole trace."""
    trace = traced("openai:429", "openai:200")
    with pytest.raises(AssertionError) as caught:
        check_sequence(trace, ("openai:429", "openai:429"))
    assert str(caught.value) == (
        "assert_sequence: attempt 2 was `openai:200`, expected `openai:429`.\n"
        "\n"
        "       expected    actual\n"
        "     1 openai:429  openai:429\n"
        "  >  2 openai:429  openai:200\n"
        "\n"
        "To fix: `exact=False` lets other attempts come between.\n"
        "\n"
        "Trace:\n"
        "    t/s  call  event    who     what\n"
        "  0.000     -  request  openai  #1 chat\n"
        "  1.000     -  answer   openai  #1 429\n"
        "  1.000     -  request  openai  #2 chat\n"
        "  2.000     -  answer   openai  #2 200"
    )


def headline(error):
    """Return the first line of a failure."""
    return str(error.value).partition("\n")[0]


def test_one_attempt_too_many_is_named():
    """An attempt that nobody expected is named in the headline."""
    with pytest.raises(AssertionError) as caught:
        check_sequence(traced("openai:500", "openai:200"), ("openai:500",))
    assert headline(caught) == (
        "assert_sequence: 1 attempt was expected and 2 were made; `openai:200` is one too many."
    )


def test_a_missing_attempt_is_named():
    """An expected attempt that was never made is named in the headline."""
    with pytest.raises(AssertionError) as caught:
        check_sequence(traced("openai:500"), ("openai:500", "anthropic:200"))
    assert headline(caught) == ("assert_sequence: 2 attempts were expected and 1 was made; `anthropic:200` is missing.")


def test_a_misspelt_provider_is_corrected():
    """A provider that never occurred and is spelt like one that did is pointed at."""
    with pytest.raises(AssertionError) as caught:
        check_sequence(traced("openai:200"), ("opnai:200",))
    assert headline(caught) == (
        "assert_sequence: attempt 1 was `openai:200`, expected `opnai:200`. Did you mean `openai`?"
    )


def test_unordered_finds_a_place_for_each_step():
    """A step that takes any model leaves the attempt to the step that needs its model."""
    check_sequence(traced("openai/a:200", "openai/b:200"), (unordered("openai:200", "openai/a:200"),))


def test_other_attempts_may_come_between():
    """With `exact=False` the steps are found in their order among others."""
    trace = traced("openai:500", "anthropic:529", "openai:500", "ollama:200")
    check_sequence(trace, ("openai:500", "ollama:200"), exact=False)
    with pytest.raises(AssertionError) as caught:
        check_sequence(trace, ("ollama:200", "openai:500"), exact=False)
    assert headline(caught) == "assert_sequence: no attempt after attempt 4 was `openai:500`."


def test_skipped_circuits_and_cache_hits_are_attempts():
    """What our own layer decided without a request stands in the sequence where it happened."""
    builder = TraceBuilder().event(CircuitSkipped, 1, "openai", "gpt-4o", 30.0)
    builder.attempts("anthropic:200", call=1).event(CacheHit, 2, "anthropic", None)
    check_sequence(builder.trace, ("openai/gpt-4o:circuit_open", "anthropic:200", "anthropic:cache_hit"))


def test_attempts_are_ordered_by_their_beginning():
    """Of two overlapping attempts the one that began first comes first, whoever ended first."""
    builder = TraceBuilder()
    slow, fast = builder.receive("openai"), builder.receive("anthropic")
    builder.answer(fast, "anthropic", "200")
    builder.answer(slow, "openai", "200")
    check_sequence(builder.trace, ("openai:200", "anthropic:200"))


def test_an_attempt_under_way_is_pending():
    """A request that has no answer yet is an attempt, so that it cannot be overlooked."""
    builder = TraceBuilder()
    builder.receive("openai")
    check_sequence(builder.trace, ("openai:pending",))


@pytest.mark.parametrize(
    ("step", "message"),
    [
        pytest.param(
            "openai",
            "the step `openai` has no outcome.\n"
            "To fix: write `openai:200`; a step is `provider:outcome` or `provider/model:outcome`.",
            id="no-outcome",
        ),
        pytest.param(
            "openai:timout",
            "the step `openai:timout` ends in an unknown outcome `timout`. Did you mean `timeout`?\n"
            "An outcome is a status from 100 to 599, or one of: abandoned, cache_hit, circuit_open, dropped, error, "
            "malformed, pending, refused, reset, stalled, timeout, truncated.\n"
            "To fix: write `openai:timeout`.",
            id="unknown-outcome",
        ),
        pytest.param(
            429,
            "a step is text, got 429.\n"
            "To fix: write `openai:429`; a step is `provider:outcome` or `provider/model:outcome`.",
            id="no-text",
        ),
    ],
)
def test_a_step_that_cannot_be_read_is_a_mistake_of_the_test(step, message):
    """A malformed step says how a step is written, instead of never matching."""
    with pytest.raises(ConfigurationError) as caught:
        check_sequence(traced("openai:200"), (step,))
    assert str(caught.value) == message


def test_a_long_trace_is_cut_in_its_middle():
    """A failure prints the beginning and the end of a trace of thousands of events."""
    with pytest.raises(AssertionError) as caught:
        check_sequence(traced(*["openai:200"] * 300), (), exact=True)
    lines = str(caught.value).split("\n")
    assert "  ... 401 lines left out ..." in lines
