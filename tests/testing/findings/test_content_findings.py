"""Findings on what requests and answers hold: each with a client that earns it, and the nearest ones that do not."""

import itertools

import openai
import pytest

from llmtest import faults
from llmtest.conduct import FINDINGS
from llmtest.simulation import Reply

OPENAI = openai.OpenAI(api_key="sk-never-sent", max_retries=0)
SYSTEM = {"role": "system", "content": "Be brief."}
USER = {"role": "user", "content": "Hi"}
TOOLS = [{"type": "function", "function": {"name": "pay", "parameters": {"type": "object", "properties": {}}}}]
CALL = {"id": "call_1", "type": "function", "function": {"name": "pay", "arguments": "{}"}}
CALLED = {"role": "assistant", "content": None, "tool_calls": [CALL]}


def ask(*messages, **options):
    """Ask openai's SDK once."""
    return OPENAI.chat.completions.create(model="gpt-4o", messages=list(messages), **options)


def verdict(sim, finding):
    """Return the finding's line of the failed assertion, without its name; None where it is not found."""
    try:
        sim.assert_resilient(ignore=[name for name in FINDINGS if name != finding])
    except AssertionError as error:
        line = next(line for line in str(error).splitlines() if line.startswith(f"  {finding}  "))
        return line.removeprefix(f"  {finding}  ")
    return None


def retried(sim, first, second, fault=None):
    """Send one conversation, which fails, and then another."""
    sim.openai.fails(faults.ServerError(503) if fault is None else fault, times=1).echoes()
    with sim.call("ask"):
        with pytest.raises(openai.APIError):
            ask(*first)
        ask(*second)


@pytest.mark.parametrize(
    ("second", "how"),
    [
        pytest.param([SYSTEM, SYSTEM, USER], "with 1 of 2 messages twice.", id="instructions-again"),
        pytest.param([SYSTEM, USER, SYSTEM, USER], "with 2 of 2 messages twice.", id="everything-again"),
        pytest.param([SYSTEM], "without what the user had said.", id="lost"),
    ],
)
def test_a_repeat_that_is_another_request(llm_sim, second, how):
    """Messages that pile up, or are used up, from one attempt to the next."""
    retried(llm_sim, [SYSTEM, USER], second)
    assert verdict(llm_sim, "request_mutated") == (
        f"call 1 asked `openai` at 0.000 s after a 503, {how} To blame: the app."
    )


@pytest.mark.parametrize(
    ("second", "fault"),
    [
        pytest.param([SYSTEM, USER], None, id="the-same"),
        pytest.param([{"role": "system", "content": "It is 12:00:01."}, USER], None, id="the-time"),
        pytest.param([SYSTEM, {"role": "user", "content": "Weather?"}], None, id="another-question"),
        pytest.param([USER, {"role": "user", "content": "Be short."}], None, id="one-more-wish"),
        pytest.param([USER], faults.ContextLengthExceeded(), id="trimmed-to-fit"),
        pytest.param([SYSTEM, USER, USER], faults.InvalidRequest(), id="after-a-final-refusal"),
    ],
)
def test_a_repeat_that_may_be_meant(llm_sim, second, fault):
    """The same, other words, another question, and what was changed because it was refused."""
    retried(llm_sim, [SYSTEM, USER], second, fault)
    assert verdict(llm_sim, "request_mutated") is None


def test_a_conversation_that_grows_is_not_mutated(llm_sim):
    """An agent's next turn repeats the history and adds to it."""
    llm_sim.openai.replies("Hello").fails(faults.ServerError(503)).echoes()
    turn = [USER, {"role": "assistant", "content": "Hello"}, USER]
    with llm_sim.call("agent"):
        ask(USER)
        with pytest.raises(openai.InternalServerError):
            ask(*turn)
        ask(*turn)
    assert verdict(llm_sim, "request_mutated") is None


def result(text, call="call_1"):
    """Return the result of a tool call."""
    return {"role": "tool", "tool_call_id": call, "content": text}


def test_a_tool_that_ran_again(llm_sim):
    """A repeat after a failure that tells another result: the card was charged twice."""
    receipts = itertools.count(1)
    llm_sim.openai.fails(faults.ServerError(503)).echoes()
    with llm_sim.call("agent"):
        for _ in range(2):
            try:
                ask(USER, CALLED, result(f"receipt {next(receipts)}"), tools=TOOLS)
            except openai.InternalServerError:
                continue
    assert verdict(llm_sim, "duplicate_effect") == (
        "call 1 answered the tool call `call_1` with another result at 0.000 s than before a 503: the tool ran again. "
        "To blame: the app."
    )


def test_two_results_of_one_call(llm_sim):
    """Two results of one tool call in one conversation."""
    llm_sim.openai.echoes()
    with llm_sim.call("agent"):
        ask(USER, CALLED, result("receipt 1"), result("receipt 2"), tools=TOOLS)
    assert verdict(llm_sim, "duplicate_effect") == (
        "call 1 sent 2 results of the one tool call `call_1` to `openai` at 0.000 s. To blame: the app."
    )


def test_results_that_are_shortened_or_named_alike(llm_sim):
    """A later turn may shorten a result, and a result may be sent again as it was; ids may be used again."""
    llm_sim.openai.replies("Paid").fails(faults.ServerError(503)).echoes()
    long, short = result("receipt 1, with all its lines"), result("receipt 1")
    done = {"role": "assistant", "content": "Paid"}
    with llm_sim.call("agent"):
        ask(USER, CALLED, long, tools=TOOLS)
        later = (USER, CALLED, short, done, USER, CALLED, result("receipt 2"))
        with pytest.raises(openai.InternalServerError):
            ask(*later, tools=TOOLS)
        ask(*later, tools=TOOLS)
    assert verdict(llm_sim, "duplicate_effect") is None


def read(*messages):
    """Yield the text of a stream until it ends or breaks."""
    try:
        for chunk in ask(*messages, stream=True):
            yield from (choice.delta.content or "" for choice in chunk.choices)
    except openai.APIError:
        return


def broken_then_whole(sim):
    """Let a stream break after some words, and the next answer be whole."""
    sim.openai.replies(Reply("Paris is the capital.", fault=faults.StreamDropped(after_chunks=2)))
    sim.openai.replies("The capital is Paris.")


def test_two_answers_in_one(llm_sim):
    """A retry inside a stream that goes on where it shall begin."""
    broken_then_whole(llm_sim)
    with llm_sim.call("ask") as call:
        call.returned("".join([*read(USER), *read(USER)]))
    assert verdict(llm_sim, "answers_glued") == (
        "call 1 returned what `openai` had said when its stream broke at 0.000 s, and the whole answer of `openai` "
        "behind it. To blame: the app."
    )


def test_the_answer_of_the_last_attempt(llm_sim):
    """Who throws the first part away, or does not say what came out, is accused of nothing."""
    broken_then_whole(llm_sim)
    with llm_sim.call("ask") as call:
        list(read(USER))
        call.returned("".join(read(USER)))
    assert verdict(llm_sim, "answers_glued") is None
    broken_then_whole(llm_sim)
    with llm_sim.call("ask again"):
        list(read(USER))
        list(read(USER))
    assert verdict(llm_sim, "answers_glued") is None


def test_going_on_from_what_was_said(llm_sim):
    """A second model that is shown the first part, and goes on from there, completes one answer."""
    broken_then_whole(llm_sim)
    with llm_sim.call("ask") as call:
        part = "".join(read(USER))
        assert part
        call.returned(part + "".join(read(USER, {"role": "assistant", "content": part})))
    assert verdict(llm_sim, "answers_glued") is None


def test_answers_of_several_turns_are_not_glued(llm_sim):
    """An agent may return all that was said in its turns."""
    llm_sim.openai.replies("One.", "Two.")
    with llm_sim.call("agent") as call:
        call.returned("".join([*read(USER), *read(USER)]))
    assert verdict(llm_sim, "answers_glued") is None
