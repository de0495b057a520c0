"""`assert_breaker`: told by our layer, inferred for foreign code, or refused."""

import pytest

from llmtest.errors import AmbiguousCallError, ConfigurationError
from llmtest.events import AttemptEnded, BreakerChanged
from llmtest.testing._assert_breaker import check_breaker
from llmtest.types import Attempt
from tests.testing.handmade_traces import TraceBuilder, traced


def told(*changes):
    """Return a trace in which a breaker of `openai` changed its state."""
    builder = TraceBuilder()
    for before, after in changes:
        builder.event(BreakerChanged, 1, "openai", before, after, "failures", 3, "503")
    return builder.trace


STORY = told(("closed", "open"), ("open", "half_open"), ("half_open", "closed"))


def test_the_whole_story_is_told_by_events():
    """The states begin with the first and follow each change; with `exact=False` some may be left out."""
    check_breaker(STORY, "openai", ("closed", "open", "half_open", "closed"))
    check_breaker(STORY, "openai", ("open", "closed"), exact=False)


def test_a_wrong_story_shows_both():
    """The failure prints both stories and where the actual one comes from."""
    with pytest.raises(AssertionError) as caught:
        check_breaker(STORY, "openai", ("closed", "open"))
    assert str(caught.value).startswith(
        "assert_breaker: the circuit of `openai` went through closed -> open -> half_open -> closed, "
        "expected closed -> open.\n"
        "\n"
        "       expected  actual\n"
        "     1 closed    closed\n"
        "     2 open      open\n"
        "  >  3 -         half_open\n"
        "     4 -         closed\n"
        "  (told by the breaker's own events)\n"
    )


def test_our_layer_without_a_change_stayed_closed():
    """A breaker of ours that never changed is closed, not unknown."""
    builder = TraceBuilder().attempts("openai:200", call=1)
    builder.event(AttemptEnded, 1, Attempt("openai", None, 0, 1, "200"))
    check_breaker(builder.trace, "openai", ("closed",))


def test_a_foreign_breaker_is_inferred_from_marked_calls():
    """Calls that skip a failing provider, and the probe that comes back, show the states of anybody's breaker."""
    builder = TraceBuilder()
    for call, steps in enumerate(
        (
            ("openai:503", "anthropic:200"),
            ("openai:503", "anthropic:200"),
            ("anthropic:200",),
            ("openai:503", "anthropic:200"),
            ("anthropic:200",),
            ("openai:200",),
            ("openai:200",),
        ),
        1,
    ):
        builder.attempts(*steps, call=call)
    states = ("closed", "open", "half_open", "open", "half_open", "closed")
    check_breaker(builder.trace, "openai", states)
    check_breaker(builder.trace, "anthropic", ("closed",))
    with pytest.raises(AssertionError, match=r"\(inferred from the provider's log\)"):
        check_breaker(builder.trace, "openai", ("closed",))


@pytest.mark.parametrize("call", [pytest.param(0, id="unmarked"), pytest.param(1, id="one-call")])
def test_what_cannot_be_inferred_is_not_guessed(call):
    """Without marked calls an open circuit leaves no mark, and the assertion says what to do."""
    with pytest.raises(AmbiguousCallError) as caught:
        check_breaker(traced("openai:503", "anthropic:200", call=call), "openai", ("closed", "open"))
    assert str(caught.value) == (
        "assert_breaker cannot infer the circuit of `openai`: the code under test is not our own layer, and its calls "
        "are not marked.\n"
        "\n"
        "  An open circuit shows only as a call that does not ask the provider.\n"
        "\n"
        "To fix: mark each call of the code under test:\n"
        '  with llm_sim.call("summary"):\n'
        "      my_app.summarise(text)"
    )


def test_an_unknown_state_is_corrected():
    """A state no circuit has gets the nearest one."""
    with pytest.raises(ConfigurationError) as caught:
        check_breaker(STORY, "openai", ("closed", "half-open"))
    assert str(caught.value) == (
        "assert_breaker: a circuit has no state `half-open`. Did you mean `half_open`?\n"
        "Its states are: closed, open, half_open."
    )
