"""Evidence beside the first kind of a finding: each with a client that earns it, and the nearest ones that do not."""

import asyncio
import random
import time
from contextlib import suppress

import anthropic
import openai
import pytest

from llmtest import faults
from llmtest.conduct import FINDINGS
from llmtest.simulation import Reply

OPENAI = openai.OpenAI(api_key="sk-never-sent", max_retries=0, timeout=30)
ANTHROPIC = anthropic.Anthropic(api_key="sk-never-sent", max_retries=0)
TOOLS = [{"type": "function", "function": {"name": "pay", "parameters": {"type": "object", "properties": {}}}}]


def ask(text="Hi", client=OPENAI, messages=None, **options):
    """Ask openai's SDK once."""
    messages = [{"role": "user", "content": text}] if messages is None else messages
    return client.chat.completions.create(model="gpt-4o", messages=messages, **options)


def ask_elsewhere(text="Hi"):
    """Ask anthropic's SDK once."""
    messages = [{"role": "user", "content": text}]
    return ANTHROPIC.messages.create(model="claude-opus-5", max_tokens=50, messages=messages)


def found(sim, finding):
    """Return the finding's line of the failed assertion, without its name; None where it is not found."""
    try:
        sim.assert_resilient(ignore=[name for name in FINDINGS if name != finding])
    except AssertionError as error:
        line = next(line for line in str(error).splitlines() if line.startswith(f"  {finding}  "))
        return line.removeprefix(f"  {finding}  ")
    return None


@pytest.mark.parametrize("pieces", [0, 2])
def test_a_stream_that_falls_silent_before_a_word(llm_sim, pieces):
    """It is a timeout like any other, and may be tried again; what has been said may have been shown."""
    llm_sim.openai.fails(faults.StreamStalled(pieces))
    with suppress(openai.APIError), llm_sim.call("read"):
        list(ask(stream=True))
    told = (
        None if pieces else "call 1 failed with `openai:stalled` at 30.000 s and did not try again. To blame: the app."
    )
    assert found(llm_sim, "gave_up") == told


@pytest.mark.parametrize("is_given_out", [True, False])
def test_an_error_that_is_given_out_as_an_answer(llm_sim, is_given_out):
    """The provider's own words about its failure are no answer; what the app says instead may be one."""
    llm_sim.openai.fails(faults.ServerError(503), times=3)
    with llm_sim.call("ask") as call:
        for _ in range(3):
            try:
                ask()
            except openai.APIError as error:
                call.returned(f"Failed: {error}" if is_given_out else "Please ask again later.")
            time.sleep(1)
    told = "call 1 gave out what `openai` had said of its failure for what the model answered. To blame: the app."
    assert found(llm_sim, "gave_up") == (told if is_given_out else None)


class Pieces:
    """Reads streams as some libraries do: up to the last event, and leaves them open."""

    def __init__(self):
        self.open = []

    def read(self, *messages):
        stream = ask(messages=[{"role": "user", "content": "Hi"}, *messages], stream=True)
        self.open.append(stream)
        text = ""
        with suppress(openai.APIError):
            for chunk in stream:
                text += chunk.choices[0].delta.content or ""
                if chunk.choices[0].finish_reason is not None:
                    break
        return text


@pytest.mark.parametrize(
    ("shown", "second", "is_glued"),
    [(False, "The capital is Paris.", True), (True, " capital of France.", False), (True, "Paris is the one.", True)],
    ids=["begun-anew", "gone-on", "begun-anew-although-shown"],
)
def test_a_second_stream_that_is_left_open(llm_sim, shown, second, is_glued):
    """What was read of it stands in the result; an answer that repeats what it was to go on from has begun anew."""
    llm_sim.openai.replies(Reply("Paris is the capital.", fault=faults.StreamDropped(after_chunks=2)))
    llm_sim.openai.replies(second)
    pieces = Pieces()
    with llm_sim.call("ask") as call:
        part = pieces.read()
        call.returned(part + pieces.read(*([{"role": "assistant", "content": part}] if shown else [])))
    assert (found(llm_sim, "answers_glued") is not None) == is_glued


@pytest.mark.parametrize(
    ("wait", "has_another", "told"),
    [
        (
            30,
            True,
            "call 1 slept 60 s before it asked `openai` again, in vain, and then asked `anthropic`, which answered.",
        ),
        (20, True, None),
        (30, False, None),
    ],
)
def test_waits_that_come_before_another_provider(llm_sim, wait, has_another, told):
    """A minute of waiting for the first is lost where a second one would have answered at once."""
    llm_sim.openai.fails(faults.RateLimited(retry_after=wait), times=3)
    llm_sim.anthropic.replies("Hi", optional=True)
    with suppress(openai.APIError), llm_sim.call("ask"):
        try:
            ask(client=openai.OpenAI(api_key="k", max_retries=2))
        except openai.RateLimitError:
            if not has_another:
                raise
            ask_elsewhere()
    line = found(llm_sim, "retry_after_unbounded")
    assert line is None if told is None else line.startswith(told)


@pytest.mark.parametrize(
    ("second", "fault", "is_well", "is_found"),
    [
        ("Hi", faults.ServerError(503), True, True),
        ("Something else", faults.ServerError(503), True, False),
        ("Hi", faults.ServerError(500), True, False),
        ("Hi", faults.ServerError(503), False, False),
    ],
    ids=["the-same", "another-question", "another-failure", "the-other-was-down"],
)
def test_a_call_that_does_not_do_as_another(llm_sim, second, fault, is_well, is_found):
    """The same question met the same failure: one asked elsewhere, and one did not, although the other one is well."""
    llm_sim.openai.fails(faults.ServerError(503)).fails(fault)
    if not is_well:
        llm_sim.anthropic.fails(faults.Overloaded())
    llm_sim.anthropic.replies("Hi", optional=True)
    with llm_sim.call("first"):
        with suppress(openai.APIError):
            ask()
        for _ in range(1 if is_well else 2):
            with suppress(anthropic.APIError):
                ask_elsewhere()

    def guarded():
        """Ask behind a breaker that puts its own error in the place of the failure."""
        try:
            ask(second)
        except openai.APIError:
            raise RuntimeError("the circuit is open") from None

    with pytest.raises(RuntimeError):
        llm_sim.call("second")(guarded)()
    assert (found(llm_sim, "no_fallback_after_break") is not None) == is_found


@pytest.mark.parametrize(
    ("begins_anew", "amounts", "is_found"), [(True, (5, 5), True), (True, (5, 6), False), (False, (5, 5), False)]
)
def test_a_run_that_is_retried_as_a_whole(llm_sim, begins_anew, amounts, is_found):
    """Its tools run again with the same arguments; who retries the request that failed runs them once."""
    first, second = ({"amount": amount} for amount in amounts)
    llm_sim.openai.when(turn=1).calls_tool("pay", first).calls_tool("pay", second, optional=True)
    llm_sim.openai.when(turn=2).fails(faults.ServerError(503)).replies("Paid")
    asked = [{"role": "user", "content": "Pay"}]

    def turn(messages):
        """Ask, and run the tool."""
        message = ask(messages=messages, tools=TOOLS).choices[0].message
        results = [{"role": "tool", "tool_call_id": call.id, "content": "paid"} for call in message.tool_calls or ()]
        return [*messages, message.model_dump(exclude_none=True), *results]

    with llm_sim.call("agent"):
        messages = turn(asked)
        with suppress(openai.APIError):
            turn(messages)
        time.sleep(2)
        turn(turn(asked) if begins_anew else messages)
    assert (found(llm_sim, "duplicate_effect") is not None) == is_found


@pytest.mark.parametrize("is_cancelled", [True, False])
def test_a_task_that_asks_again_after_it_was_cancelled(llm_sim, is_cancelled):
    """A limit around the whole call ends it; one around each attempt is over when the next attempt begins."""
    llm_sim.openai.fails(faults.SlowFirstToken(20)).echoes()
    client = openai.AsyncOpenAI(api_key="k", max_retries=0)

    async def attempts(limit):
        for _ in range(2):
            with suppress(asyncio.CancelledError, TimeoutError):
                async with asyncio.timeout(limit):
                    return await ask(client=client)
            await asyncio.sleep(1)
        raise AssertionError

    async def main():
        async with asyncio.timeout(5 if is_cancelled else None):
            await attempts(None if is_cancelled else 5)

    with llm_sim.call("ask"):
        llm_sim.run(main())
    told = "call 1 sent the same to `openai` again at 6.000 s after it had been cancelled. To blame: the app."
    assert found(llm_sim, "retried_non_retryable") == (told if is_cancelled else None)


@pytest.mark.parametrize(("cost", "told"), [("0.01", "call 1 told a cost of $0.01, and asked nobody."), ("0", None)])
def test_what_an_answer_out_of_a_cache_costs(llm_sim, cost, told):
    """Nobody was asked, so nothing was charged."""
    with llm_sim.call("ask") as call:
        call.returned("Paris", cost=cost)
    line = found(llm_sim, "cost_misreported")
    assert line is None if told is None else line.startswith(told)


def tries(llm_sim, waits, client=OPENAI):
    """Ask in vain, with these waits between the attempts."""
    llm_sim.openai.fails(faults.ServerError(503), times=None)
    with suppress(openai.APIError), llm_sim.call("ask"):
        for wait in waits:
            with suppress(openai.APIError):
                ask(client=client)
            time.sleep(wait)
        ask(client=client)


def test_a_layer_that_begins_where_the_sdk_has_given_up(llm_sim):
    """Five requests: three of the SDK, and two more of somebody who asks again in the same moment."""
    patient = openai.OpenAI(api_key="k", max_retries=2)
    llm_sim.openai.fails(faults.ServerError(503), times=None)
    with llm_sim.call("ask"):
        with suppress(openai.APIError):
            ask(client=patient)
        for _ in range(2):
            with suppress(openai.APIError):
                ask()
            time.sleep(1)
    assert "asked `openai` 5 times: 3 rounds of 3, 1, 1 requests" in found(llm_sim, "retries_multiplied")


def test_t10_layers_that_no_sdk_counts(llm_sim):
    """Three rounds of the same growing waits are two layers, whoever retries in them."""
    jitter = random.Random(5)
    inner = [wait * jitter.uniform(0.9, 1.1) for _ in range(3) for wait in (0.5, 1.0)]
    tries(llm_sim, [*inner[0:2], 4, *inner[2:4], 8, *inner[4:6]])
    assert "asked `openai` 9 times: 3 rounds of 3, 3, 3 requests" in found(llm_sim, "retries_multiplied")


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("kind", ["exponential", "capped", "fixed", "full-jitter"])
def test_one_layer_is_not_two(llm_sim, kind, seed):
    """Nine waits of one layer, whatever their form."""
    dice = random.Random(seed)
    waits = {
        "exponential": [2**number * dice.uniform(0.75, 1) for number in range(8)],
        "capped": [min(8, 2**number) * dice.uniform(0.75, 1) for number in range(8)],
        "fixed": [2.0] * 8,
        "full-jitter": [dice.uniform(0, 30) for _ in range(8)],
    }
    tries(llm_sim, waits[kind])
    assert found(llm_sim, "retries_multiplied") is None
