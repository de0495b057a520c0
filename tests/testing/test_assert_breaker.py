"""`assert_breaker`: told by our layer, inferred for foreign code, or refused."""

import time

import anthropic
import openai
import pybreaker
import pytest

from llmtest import faults
from llmtest.errors import AmbiguousCallError, ConfigurationError
from llmtest.events import AttemptEnded, BreakerChanged, BreakerWatched, CallEnded, CallStarted
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
    with pytest.raises(AssertionError, match=r"\(inferred from marked calls and the provider's log\)"):
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
        "To fix, one of:\n"
        "  1. watch the breaker, where it is one of those that can be: llm_sim.watch_breaker(breaker, "
        'provider="openai")\n'
        "  2. mark each call of the code under test, those that send nothing as well:\n"
        '     with llm_sim.call("summary"):\n'
        "         my_app.summarise(text)"
    )


def test_an_unknown_state_is_corrected():
    """A state no circuit has gets the nearest one."""
    with pytest.raises(ConfigurationError) as caught:
        check_breaker(STORY, "openai", ("closed", "half-open"))
    assert str(caught.value) == (
        "assert_breaker: a circuit has no state `half-open`. Did you mean `half_open`?\n"
        "Its states are: closed, open, half_open, isolated."
    )


def marked(*calls):
    """Return a trace of marked calls, each a list of its attempts and how it ended: `ok` where that is not said."""
    builder = TraceBuilder()
    for number, call in enumerate(calls, 1):
        *steps, outcome = call if call and ":" not in call[-1] else (*call, "ok")
        label, _, outcome = outcome.rpartition("=")
        builder.event(CallStarted, number, label)
        builder.attempts(*steps, call=number)
        builder.event(CallEnded, number, label, outcome, None, None, builder.now_ns)
    return builder.trace


REFUSED = ("CircuitBreakerError",)
FAILED = ("openai:503", "InternalServerError")
FELL_BACK = ("openai:503", "anthropic:200")
IN_ITS_PLACE = ("anthropic:200",)
FINE = ("openai:200",)


@pytest.mark.parametrize(
    ("calls", "states"),
    [
        pytest.param([FAILED, REFUSED], ["closed", "open"], id="a-refusal"),
        pytest.param([FAILED, ("OpenedState",)], ["closed", "open"], id="a-refusal-of-purgatory"),
        pytest.param([FINE, FAILED, FAILED, ()], ["closed", "open"], id="swallowed-refusal"),
        pytest.param([FAILED, FAILED, ("AppError",), FINE], ["closed", "open", "half_open", "closed"], id="own-error"),
        pytest.param([FINE, ()], ["closed"], id="nothing-failed"),
        pytest.param([FAILED, FAILED, FINE], ["closed"], id="nobody-was-refused"),
        pytest.param([FAILED, ("cancelled",), ("BudgetExceededError",), FAILED], ["closed"], id="other-reasons"),
        pytest.param([FELL_BACK, FELL_BACK, IN_ITS_PLACE], ["closed", "open"], id="fallback"),
        pytest.param([FELL_BACK, IN_ITS_PLACE, FINE, FINE], ["closed", "open", "half_open", "closed"], id="at-once"),
        pytest.param(
            [("openai:503", "ask=E"), ("openai:503", "ask=E"), ("anthropic:200", "ask=ok")],
            ["closed", "open"],
            id="the-same-function",
        ),
        pytest.param([FAILED, REFUSED, FAILED, REFUSED], ["closed", "open", "half_open", "open"], id="failed-probe"),
        pytest.param(
            [FELL_BACK, FELL_BACK, IN_ITS_PLACE, IN_ITS_PLACE, IN_ITS_PLACE, FAILED, FINE],
            ["closed", "open", "half_open", "closed"],
            id="it-was-not-reopened-so-soon",
        ),
    ],
)
def test_what_marked_calls_tell(calls, states):
    """Calls that send nothing, or go elsewhere, after failures, and those that come back, tell the states."""
    check_breaker(marked(*calls), "openai", states)


@pytest.mark.parametrize(
    ("calls", "reason"),
    [
        pytest.param(
            [FELL_BACK, IN_ITS_PLACE, FINE, IN_ITS_PLACE],
            "call 2 asked `anthropic` after 1 failure at `openai`, but no two calls in a row ask `openai`: a rotation "
            "over providers looks the same",
            id="t07-round-robin",
        ),
        pytest.param(
            [FINE, IN_ITS_PLACE, FINE, FELL_BACK, IN_ITS_PLACE, FINE],
            "call 5 asked `anthropic` after 1 failure at `openai`, but call 2 did not ask `openai` either, while all "
            "was well: a rotation over providers looks the same",
            id="t07-random-choice",
        ),
        pytest.param(
            [FAILED, FAILED, IN_ITS_PLACE],
            "call 3 asked `anthropic` after 2 failures at `openai`, but no call went from one to the other, so it may "
            "be about something else",
            id="another-feature",
        ),
        pytest.param(
            [FAILED, ()],
            "call 2 sent nothing after 1 failure at `openai`: an answer from a cache, or a check, looks the same",
            id="one-failure-is-few",
        ),
        pytest.param(
            [FINE, (), FAILED, FAILED, ()],
            "call 5 sent nothing after 2 failures at `openai`, but so did call 2 while all was well",
            id="a-cache",
        ),
        pytest.param(
            [FAILED, IN_ITS_PLACE, REFUSED],
            "call 2 asked `anthropic` after 1 failure at `openai`, but no two calls in a row ask `openai`: a rotation "
            "over providers looks the same",
            id="two-features",
        ),
        pytest.param(
            [("openai:503", "chat=E"), ("openai:503", "chat=E"), (*IN_ITS_PLACE, "title=ok"), ("other=E",)],
            "call 3 (`title`) asked `anthropic` after 2 failures at `openai`, but no call went from one to the other, "
            "so it may be about something else",
            id="labels-that-differ",
        ),
    ],
)
def test_what_marked_calls_do_not_tell(calls, reason):
    """Where something else explains the calls as well, the assertion says what, and how to know."""
    with pytest.raises(AmbiguousCallError) as caught:
        check_breaker(marked(*calls), "openai", ["closed", "open", "half_open", "closed"])
    assert str(caught.value) == (
        "assert_breaker cannot tell what the circuit of `openai` did.\n"
        "\n"
        f"  {reason}\n"
        "\n"
        'To fix: watch the breaker itself: llm_sim.watch_breaker(breaker, provider="openai")\n'
        "Where there is none that can be watched, assert what the provider saw, with `assert_sequence`."
    )


def ask():
    """Ask openai's SDK once."""
    return openai.OpenAI(max_retries=0).chat.completions.create(
        model="gpt-4o", messages=[{"role": "user", "content": "Hi"}]
    )


def ask_anthropic():
    """Ask anthropic's SDK once."""
    return anthropic.Anthropic(max_retries=0).messages.create(
        model="claude-sonnet-4-6", max_tokens=9, messages=[{"role": "user", "content": "Hi"}]
    )


@pytest.mark.parametrize("swallows", [False, True])
def test_t06_a_circuit_that_is_really_open(llm_sim, swallows):
    """Marked calls that send nothing while pybreaker's circuit is open tell its true history, unwatched."""
    breaker = pybreaker.CircuitBreaker(fail_max=2, reset_timeout=30)
    llm_sim.openai.fails(faults.ServerError(503), times=2).replies("Hi", times=2)

    def call(number):
        with llm_sim.call(f"call {number}"):
            try:
                breaker.call(ask)
            except (openai.APIError, pybreaker.CircuitBreakerError):
                if not swallows:
                    raise

    def call_and_go_on(number):
        try:
            call(number)
        except (openai.APIError, pybreaker.CircuitBreakerError):
            assert not swallows

    for number in range(5):
        call_and_go_on(number)
    llm_sim.assert_breaker("openai", "closed", "open")
    with pytest.raises(AssertionError, match="went through closed -> open, expected closed"):
        llm_sim.assert_breaker("openai", "closed")
    time.sleep(31)
    for number in range(5, 7):
        call_and_go_on(number)
    llm_sim.assert_breaker("openai", "closed", "open", "half_open", "closed")


def test_t07_round_robin_without_a_breaker(llm_sim):
    """Taking turns is no circuit, whichever provider fails."""
    llm_sim.openai.fails(faults.ServerError(503)).replies("Hi", times=2)
    llm_sim.anthropic.replies("Hi", times=4)
    for number, (first, second) in enumerate([(ask, ask_anthropic), (ask_anthropic, ask)] * 3):
        with llm_sim.call(f"call {number}"):
            try:
                first()
            except openai.APIError:
                second()
    for states in (("closed", "open", "half_open", "closed"), ("closed",)):
        with pytest.raises(AmbiguousCallError, match="a rotation over providers looks the same"):
            llm_sim.assert_breaker("openai", *states)


def test_t08_two_marked_calls_of_which_one_asked(llm_sim):
    """A call that sent nothing is a marked call."""
    breaker = pybreaker.CircuitBreaker(fail_max=1)
    llm_sim.openai.fails(faults.ServerError(503))
    for number in range(2):
        with pytest.raises(pybreaker.CircuitBreakerError), llm_sim.call(f"call {number}"):
            breaker.call(ask)
    llm_sim.assert_breaker("openai", "closed", "open")


def test_a_call_around_other_calls_sends_nothing_by_itself():
    """A mark around marked calls is no call that was refused."""
    builder = TraceBuilder()
    builder.attempts("openai:503", call=1).attempts("openai:503", call=2)
    builder.event(CallStarted, 3, "batch")
    builder.event(CallStarted, 4, "").attempts("openai:200", call=4)
    builder.event(CallEnded, 4, "", "ok", None, None, 0).event(CallEnded, 3, "batch", "ok", None, None, 0)
    check_breaker(builder.trace, "openai", ["closed"])


@pytest.mark.parametrize(
    ("gap_s", "states"),
    [
        pytest.param(3, ["closed", "open", "half_open", "closed"], id="too-soon"),
        pytest.param(4, ["closed", "open", "half_open", "open", "half_open", "closed"], id="long-enough"),
        pytest.param(3.5, None, id="either"),
    ],
)
def test_a_probe_after_a_probe_that_failed(gap_s, states):
    """Whether the circuit was open in between follows from how long it was before; where it does not, that is said."""
    builder = TraceBuilder()
    builder.trace = marked(FELL_BACK, FELL_BACK, IN_ITS_PLACE, IN_ITS_PLACE, IN_ITS_PLACE, FAILED)
    builder.now_ns = builder.trace.of(CallEnded)[-1].at_ns + round(gap_s * 1e9)
    builder.attempts("openai:200", call=7)
    if states is not None:
        check_breaker(builder.trace, "openai", states)
        return
    with pytest.raises(AmbiguousCallError, match=r"a probe failed at 8.000 s, and call 7 asked again 3.500 s later"):
        check_breaker(builder.trace, "openai", ["closed"])


def test_overlapping_calls_are_read_in_order():
    """Calls that were under way when a circuit opened do not change it, and refusals beside a probe are none."""
    builder = TraceBuilder()
    first, second, slow = (builder.receive("openai", call=call) for call in (1, 2, 3))
    builder.answer(first, "openai", "503", call=1)
    builder.answer(second, "openai", "503", call=2)
    builder.event(CallStarted, 4, "").event(CallEnded, 4, "", "CircuitBreakerError", None, None, 0)
    builder.answer(slow, "openai", "200", call=3)
    probe = builder.receive("openai", call=5)
    builder.event(CallStarted, 6, "").event(CallEnded, 6, "", "CircuitBreakerError", None, None, 0)
    builder.answer(probe, "openai", "200", call=5)
    builder.attempts("openai:503", call=7)
    check_breaker(builder.trace, "openai", ["closed", "open", "half_open", "closed"])


def test_a_provider_that_only_steps_in():
    """The second of three is left out where its circuit is open, and not where the first has answered."""
    steps = ("openai:503", "anthropic:503", "gemini:200")
    left_out = ("openai:503", "gemini:200")
    trace = marked(steps, steps, left_out, FINE, FELL_BACK)
    check_breaker(trace, "anthropic", ["closed", "open", "half_open", "closed"])
    check_breaker(trace, "gemini", ["closed"])


def test_two_circuits_of_one_name_are_not_mixed():
    """Changes that do not follow one another are those of two breakers."""
    builder = TraceBuilder()
    builder.event(BreakerWatched, 0, "openai", "pybreaker", None, "closed")
    for _ in range(2):
        builder.event(BreakerChanged, 1, "openai", "closed", "open", "failures", 3, "503")
    with pytest.raises(AmbiguousCallError) as caught:
        check_breaker(builder.trace, "openai", ["closed", "open"])
    assert str(caught.value) == (
        "assert_breaker: two circuits tell of themselves as `openai`, and their states are mixed.\n"
        "To fix: give the one that you watch a name of its own, and assert that:\n"
        '  llm_sim.watch_breaker(breaker, provider="openai/mine")\n'
        '  llm_sim.assert_breaker("openai/mine", ...)'
    )
