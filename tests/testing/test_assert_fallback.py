"""`assert_fallback` and `assert_no_fallback`: who answered in whose place, and when nobody can tell."""

import pytest

from llmtest import faults
from llmtest.errors import AmbiguousCallError, ConfigurationError
from llmtest.events import CallEnded, CallStarted, CircuitSkipped, FallbackTaken
from llmtest.testing._assert_fallback import check_fallback, check_no_fallback
from tests.testing.handmade_traces import TraceBuilder, traced


class RateLimited:
    """Stands for the fault class of that name."""


def headline(error):
    """Return the first line of a failure."""
    return str(error.value).partition("\n")[0]


@pytest.mark.parametrize(
    "because",
    [
        pytest.param(None, id="any"),
        pytest.param("429", id="outcome"),
        pytest.param(429, id="status"),
        pytest.param(RateLimited, id="fault-class"),
        pytest.param(RateLimited(), id="fault"),
    ],
)
def test_a_failed_call_answered_elsewhere_is_a_fallback(because):
    """A failure on one provider and the answer of another, in one call, is a fallback with the failure as cause."""
    builder = TraceBuilder().attempts("openai/gpt-4o:500")
    builder.answer(builder.receive("openai/gpt-4o"), "openai/gpt-4o", "429", fault="rate_limited")
    builder.attempts("anthropic:200")
    check_fallback(builder.trace, "openai", "anthropic", because=because)
    check_fallback(builder.trace, "openai/gpt-4o", "anthropic", because=because)


def test_a_wrong_cause_names_the_right_one():
    """The cause is the last failure before the move; an earlier one does not count."""
    with pytest.raises(AssertionError) as caught:
        check_fallback(traced("openai:500", "openai:429", "anthropic:200"), "openai", "anthropic", because="500")
    assert str(caught.value).startswith(
        "assert_fallback: `anthropic` answered for `openai`, but not because of `500`: the cause was `429`.\n"
        "\n"
        "  call 1: openai:500 -> openai:429 -> anthropic:200\n"
        "\n"
        "Trace:\n"
    )


@pytest.mark.parametrize(
    ("because", "hint"),
    [
        ("rate_limit", " Did you mean because of `rate_limited`?"),
        ("time_out", " Did you mean because of `timeout`?"),
        (type("RateLimitError", (), {}), " Did you mean because of `rate_limited`?"),
        ("rate_limited", ""),
        (faults.RateLimited, ""),
        (502, ""),
        ("not_supported", ""),
    ],
    ids=str,
)
def test_a_cause_that_there_is_not_names_the_nearest(because, hint):
    """A word that can never be the cause is told from one that was not."""
    with pytest.raises(AssertionError) as caught:
        check_fallback(traced("openai:500", "anthropic:200"), "openai", "anthropic", because=because)
    assert headline(caught).endswith(f": the cause was `500`.{hint}")


def test_a_later_call_is_no_fallback():
    """An answer by the provider itself lies between: what another answers afterwards is a call of its own."""
    with pytest.raises(AssertionError) as caught:
        check_fallback(traced("openai:500", "openai:200", "anthropic:200"), "openai", "anthropic")
    assert str(caught.value).startswith(
        "assert_fallback: no call that failed on `openai` was answered by `anthropic`.\n"
        "\n"
        "  call 1: openai:500 -> openai:200\n"
        "  call 2: anthropic:200\n"
    )


def test_a_provider_nobody_asked_is_named():
    """A misspelt provider gets the nearest one that was asked."""
    with pytest.raises(AssertionError) as caught:
        check_fallback(traced("openai:500", "anthropic:200"), "openai", "antropic")
    assert headline(caught) == (
        "assert_fallback: no call that failed on `openai` was answered by `antropic`. "
        "Nothing was sent to `antropic`. Did you mean `anthropic`?"
    )


def test_a_cancelled_request_is_a_failure_and_a_closed_stream_an_answer():
    """A request the client gave up failed; a stream the client closed had been read."""
    check_fallback(traced("openai:abandoned", "anthropic:200"), "openai", "anthropic", because="abandoned")
    with pytest.raises(AssertionError):
        check_fallback(traced("openai:abandoned", "anthropic:200", stream=True), "openai", "anthropic")


def test_an_open_circuit_is_a_cause():
    """A slot that was skipped because its circuit is open counts as failed, without a request."""
    builder = TraceBuilder().event(CircuitSkipped, 1, "openai", None, 30.0).attempts("anthropic:200", call=1)
    check_fallback(builder.trace, "openai", "anthropic", because="circuit_open")


def test_a_slot_the_chain_never_asked_is_known_from_the_chain():
    """Our chain's own decision is a fallback too, although the first provider never saw a request."""
    builder = TraceBuilder().event(CallStarted, 1, "chain")
    builder.event(FallbackTaken, 1, "chain", "openai", None, "anthropic", None, "not_supported")
    builder.attempts("anthropic:200", call=1).event(CallEnded, 1, "chain", "ok", "anthropic", None, 0)
    check_fallback(builder.trace, "openai", "anthropic", because="not_supported")
    with pytest.raises(AssertionError, match="but not because of `429`: the cause was `not_supported`"):
        check_fallback(builder.trace, "openai", "anthropic", because="429")


def test_marked_calls_may_overlap():
    """Calls that are marked are kept apart, however they interleave."""
    builder = TraceBuilder()
    first, second = builder.receive("openai", call=1), builder.receive("openai", call=2)
    builder.answer(first, "openai", "503", call=1)
    builder.answer(second, "openai", "200", call=2)
    builder.attempts("anthropic:200", call=1)
    check_fallback(builder.trace, "openai", "anthropic", because="503")


def overlapping():
    """Return a trace of two unmarked requests, the second begun before the first ended."""
    builder = TraceBuilder()
    first, second = builder.receive("openai"), builder.receive("anthropic")
    builder.answer(first, "openai", "503")
    builder.answer(second, "anthropic", "200")
    return builder.trace


def test_overlapping_unmarked_calls_are_not_guessed():
    """Requests that overlap without marks could be one call or two, and the assertion says so instead of guessing."""
    with pytest.raises(AmbiguousCallError) as caught:
        check_fallback(overlapping(), "openai", "anthropic")
    assert str(caught.value) == (
        "assert_fallback cannot tell which requests belong together: unmarked calls overlap.\n"
        "\n"
        "  openai:503 began at 0.000 s and was still under way\n"
        "  anthropic:200 began at 0.000 s\n"
        "\n"
        "To fix: mark each call of the code under test, so that its attempts are counted together:\n"
        '  with llm_sim.call("summary"):\n'
        "      my_app.summarise(text)"
    )
    with pytest.raises(AmbiguousCallError):
        check_no_fallback(overlapping())


def test_no_fallback_means_one_provider_and_model_per_call():
    """Calls that each stay on one target have no fallback, whatever target each one uses."""
    builder = TraceBuilder().attempts("openai/a:500", "openai/a:200", call=1).attempts("openai/b:200", call=2)
    check_no_fallback(builder.trace)


def test_embeddings_beside_a_chat_are_no_fallback():
    """A request of another kind uses another model without having failed over to it."""
    builder = TraceBuilder().attempts("openai/embedder:200", operation="embeddings").attempts("openai/gpt-4o:200")
    check_no_fallback(builder.trace)


def test_a_second_model_is_a_fallback():
    """The failure names the call, both targets and the attempts, and how to mark calls that are separate."""
    with pytest.raises(AssertionError) as caught:
        check_no_fallback(traced("openai/gpt-4o:500", "openai/gpt-4o-mini:200"))
    assert str(caught.value).startswith(
        "assert_no_fallback: the test's one implicit call began on `openai/gpt-4o` and went on to "
        "`openai/gpt-4o-mini`.\n"
        "\n"
        "  openai/gpt-4o:500 -> openai/gpt-4o-mini:200\n"
        "\n"
        'To fix: where these are calls of their own, mark each one: `with llm_sim.call("label"):`.\n'
    )
    with pytest.raises(AssertionError, match="assert_no_fallback: logical call 3 began on `openai` and went on to"):
        check_no_fallback(traced("openai:500", "anthropic:200", call=3))


def test_a_fallback_to_itself_is_a_mistake_of_the_test():
    """The two targets must differ."""
    with pytest.raises(ConfigurationError) as caught:
        check_fallback(traced("openai:200"), "openai", "openai")
    assert str(caught.value) == ("assert_fallback: a fallback goes from one target to another, got `openai` twice.")
