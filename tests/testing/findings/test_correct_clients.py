"""Fifteen clients that do what they should, under eighteen schedules of faults: 270 verdicts, and no wrong accusation.

They are written as apps are, on the official SDKs; most of them mark nothing. One thing they are rightly told: openai's
SDK asks again where the account is empty, whoever calls it.
"""

import asyncio
import random
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import anthropic
import openai
import pybreaker
import pytest
import stamina
import tenacity

from llmtest import AnthropicProvider, FallbackChain, LLMClient, OpenAIProvider
from llmtest.errors import LLMTestError
from tests.testing.findings.fault_schedules import SCHEDULES, schedule

ERRORS = (openai.OpenAIError, anthropic.AnthropicError, ValueError)
"""What the SDKs raise; a ValueError where a body cannot be read."""
PASSING = (openai.APIConnectionError, openai.InternalServerError, openai.RateLimitError)
SPENT = "insufficient_quota"
KEY = "sk-never-sent"


def client(retries=0):
    """Return openai's client, with a timeout."""
    return openai.OpenAI(api_key=KEY, max_retries=retries, timeout=20)


def asked(number):
    """Return a conversation."""
    return [{"role": "user", "content": f"Question {number}"}]


def create(some, number, **options):
    """Ask once."""
    return some.chat.completions.create(model="gpt-4o", messages=asked(number), **options)


def create_elsewhere(number):
    """Ask anthropic's SDK, with its own retries."""
    some = anthropic.Anthropic(api_key=KEY, timeout=20)
    return some.messages.create(model="claude-sonnet-4-6", max_tokens=50, messages=asked(number))


def may_pass(error):
    """Tell whether the same may fare better a little later."""
    return isinstance(error, PASSING) and getattr(error, "code", None) != SPENT


def pause_after(error, tries):
    """Return how long to wait: what the provider says, else longer each time, with jitter."""
    response = getattr(error, "response", None)
    told = response.headers.get("retry-after") if response is not None else None
    return float(told) if told else 2**tries * (0.5 + random.random())


def insist(number, tries=3, some=None):
    """Ask until there is an answer, a few times, later each time."""
    some = client() if some is None else some
    for attempt in range(tries):
        try:
            return create(some, number)
        except ERRORS as error:
            is_silent = isinstance(error, openai.APITimeoutError) and attempt > 0
            if not may_pass(error) or attempt + 1 == tries or is_silent:
                raise
            time.sleep(pause_after(error, attempt))
    raise AssertionError


def leaves_it_to_openai(sim):
    """The SDK's own retries, and its errors to the caller."""
    for number in range(3):
        with suppress(*ERRORS):
            create(client(retries=2), number)
    assert sim


def leaves_it_to_anthropic(sim):
    """The same with the other SDK."""
    for number in range(3):
        with suppress(*ERRORS):
            create_elsewhere(number)
    assert sim


def loops(sim):
    """A loop of one's own."""
    for number in range(3):
        with suppress(*ERRORS):
            insist(number)
    assert sim


def loops_in_marked_calls(sim):
    """The same, marked; what it returns is told."""
    answer = sim.call("ask")(insist)
    for number in range(3):
        with suppress(*ERRORS):
            answer(number)


async def insist_async(some, number):
    """Ask on an event loop until there is an answer."""
    for attempt in range(3):
        try:
            return await create(some, number)
        except ERRORS as error:
            if not may_pass(error) or attempt == 2 or (isinstance(error, openai.APITimeoutError) and attempt):
                raise
            await asyncio.sleep(pause_after(error, attempt))
    return None


def loops_at_once(sim):
    """Many at a time on an event loop, all of them asking the same."""

    async def main():
        async with openai.AsyncOpenAI(api_key=KEY, max_retries=0, timeout=20) as some:
            await asyncio.gather(*(insist_async(some, 0) for _ in range(6)), return_exceptions=True)

    asyncio.run(main())
    assert sim


def gathers(sim):
    """Many at a time, with the SDK's own retries."""

    async def main():
        async with openai.AsyncOpenAI(api_key=KEY, timeout=20) as some:
            await asyncio.gather(*(create(some, number) for number in range(6)), return_exceptions=True)

    asyncio.run(main())
    assert sim


def works_in_threads(sim):
    """Many at a time in threads, each with a loop of its own."""

    def work(number):
        with suppress(*ERRORS):
            insist(number)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(6)))
    assert sim


class wait_as_told(tenacity.wait.wait_base):  # noqa: N801 - tenacity's waits are called so
    """Wait as long as the provider says, else longer each time."""

    def __call__(self, retry_state):
        """Return the wait."""
        return pause_after(retry_state.outcome.exception(), retry_state.attempt_number)


def wraps_with_tenacity(sim):
    """A function that tenacity repeats."""
    repeated = tenacity.retry(
        retry=tenacity.retry_if_exception(lambda error: may_pass(error) and not is_silence(error)),
        wait=wait_as_told(),
        stop=tenacity.stop_after_attempt(3),
        reraise=True,
    )(create)
    for number in range(3):
        with suppress(*ERRORS):
            repeated(client(), number)
    assert sim


def is_silence(error):
    """Tell a timeout."""
    return isinstance(error, openai.APITimeoutError)


def wraps_with_stamina(sim):
    """A function that stamina repeats, as long as the provider says."""

    def again(error):
        return pause_after(error, 1) if may_pass(error) and not is_silence(error) else False

    repeated = stamina.retry(on=again, attempts=3, timeout=None)(create)
    for number in range(3):
        with suppress(*ERRORS):
            repeated(client(), number)
    assert sim


def falls_back(sim):
    """Another provider where the first one fails for a reason of its own."""
    for number in range(3):
        with suppress(*ERRORS):
            try:
                insist(number, tries=2)
            except openai.BadRequestError:
                raise
            except ERRORS:
                create_elsewhere(number)
    assert sim


def heard(some, number):
    """Read a stream; return its text, and whether it told its end."""
    text, is_whole = "", False
    for chunk in create(some, number, stream=True):
        for choice in chunk.choices:
            text += choice.delta.content or ""
            is_whole = is_whole or choice.finish_reason is not None
    return text, is_whole


def reads_streams(sim):
    """Streams that are asked for again, once and after a pause, where they did not tell their end."""
    for number in range(3):
        with suppress(*ERRORS), sim.call("read") as call:
            text, is_whole = heard(client(retries=2), number)
            if not is_whole:
                time.sleep(1 + random.random())
                text, is_whole = heard(client(retries=2), number)
            if not is_whole:
                raise ValueError("half an answer")
            call.returned(text)


def takes_turns(sim):
    """An agent: each turn is sent with the whole history, and again after what passes."""
    for handle in (sim.openai,):
        handle.when(tool_result_contains="72").replies("It is warm.", times=None, optional=True)
    tools = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}]
    history = asked("of the weather")
    some = client(retries=2)
    with suppress(*ERRORS):
        answer = some.chat.completions.create(model="gpt-4o", messages=history, tools=tools).choices[0].message
        call = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
        history += [{"role": "assistant", "content": answer.content, "tool_calls": [call]}]
        history += [{"role": "tool", "tool_call_id": "call_1", "content": "72"}]
        some.chat.completions.create(model="gpt-4o", messages=history, tools=tools)


def goes_through_a_breaker(sim):
    """A circuit of another library, with another provider behind it."""
    breaker = pybreaker.CircuitBreaker(fail_max=3, reset_timeout=30, exclude=[openai.BadRequestError])
    sim.watch_breaker(breaker, provider="openai")
    for number in range(8):
        with sim.call(f"question {number}"), suppress(*ERRORS):
            try:
                breaker.call(create, client(retries=2), number)
            except openai.BadRequestError:
                raise
            except (pybreaker.CircuitBreakerError, *ERRORS):
                create_elsewhere(number)
        time.sleep(5)


def answers_from_elsewhere(sim):
    """A sentence of the app's own where no answer is to be had."""

    @sim.call("ask")
    def answer(number):
        try:
            return insist(number).choices[0].message.content
        except ERRORS:
            return "Ask me later."

    for number in range(3):
        assert answer(number)


def is_ours(sim):
    """A chain of our own, with its defaults."""
    chain = FallbackChain([OpenAIProvider(model="gpt-4o"), AnthropicProvider(model="claude-sonnet-4-6")])
    for number in range(4):
        with suppress(LLMTestError):
            LLMClient(chain).ask(f"Question {number}")
    assert sim


CLIENTS = (
    leaves_it_to_openai,
    leaves_it_to_anthropic,
    loops,
    loops_in_marked_calls,
    loops_at_once,
    gathers,
    works_in_threads,
    wraps_with_tenacity,
    wraps_with_stamina,
    falls_back,
    reads_streams,
    takes_turns,
    goes_through_a_breaker,
    answers_from_elsewhere,
    is_ours,
)
TOLD_RIGHTLY = {
    (each, "no-credit") for each in (leaves_it_to_openai, gathers, reads_streams, takes_turns, goes_through_a_breaker)
}
"""Clients whose SDK asks again where the account is empty."""


def test_there_are_as_many_as_is_said():
    """Fifteen clients and eighteen schedules make 270 judgements."""
    assert len(CLIENTS) * len(SCHEDULES) == 270


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("correct", CLIENTS, ids=lambda each: each.__name__)
def test_nobody_who_behaves_is_accused(llm_sim, correct, name):
    """The verdict on a correct client is clean, whatever goes wrong; nobody has to mark anything for it."""
    schedule(llm_sim.openai, name)
    if correct is leaves_it_to_anthropic:
        schedule(llm_sim.anthropic, name)
    else:
        llm_sim.anthropic.echoes()
    correct(llm_sim)
    if (correct, name) in TOLD_RIGHTLY:
        with pytest.raises(AssertionError, match=r"^assert_resilient: 1 finding\.") as caught:
            llm_sim.assert_resilient()
        assert "retried_non_retryable" in str(caught.value)
        assert "To blame: the SDK, which retries by itself." in str(caught.value)
    else:
        llm_sim.assert_resilient()
