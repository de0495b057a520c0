"""Clients that do what they should are accused of nothing, whatever goes wrong."""

import asyncio
import contextlib
import random
import time

import anthropic
import openai
import pybreaker
import pytest

from llmtest import (
    AnthropicProvider,
    AsyncLLMClient,
    ChatMessage,
    CircuitBreakerConfig,
    CompletionRequest,
    FallbackChain,
    LLMClient,
    OpenAIProvider,
)
from llmtest.conduct import FINDINGS as EVERY
from llmtest.errors import LLMTestError
from tests.testing.findings.fault_schedules import SCHEDULES, schedule

FINDINGS = (
    "half_open_herd",
    "fallback_on_client_error",
    "no_fallback_after_break",
    "dead_provider_walked",
    "request_mutated",
    "duplicate_effect",
    "answers_glued",
    "backoff_synchronised",
)
PASSING = (openai.APIConnectionError, openai.InternalServerError, openai.RateLimitError, ValueError)
ELSEWHERE = (*PASSING, openai.AuthenticationError, openai.NotFoundError)
"""What another provider may not have: an outage, an empty account, a wrong key, a missing model."""


OPENAI = openai.OpenAI(api_key="sk-never-sent")
ANTHROPIC = anthropic.Anthropic(api_key="sk-never-sent")


def messages(text="Hi"):
    """Return a conversation."""
    return [{"role": "system", "content": "Be brief."}, {"role": "user", "content": text}]


def ask_openai(conversation, model="gpt-4o", **options):
    """Ask openai's SDK, which tries three times by itself."""
    return OPENAI.chat.completions.create(model=model, messages=conversation, **options)


def ask_anthropic(conversation):
    """Ask anthropic's SDK the same."""
    return ANTHROPIC.messages.create(
        model="claude-sonnet-4-6",
        max_tokens=50,
        system=conversation[0]["content"],
        messages=[message for message in conversation if message["role"] == "user"],
    )


def asks_in_turn(sim):
    """Four calls, one after the other, that go to another provider where that may help."""
    for number in range(4):
        with sim.call(f"question {number}"):
            try:
                ask_openai(messages(f"Hi {number}"))
            except ELSEWHERE:
                ask_anthropic(messages(f"Hi {number}"))
            except openai.BadRequestError:
                pass


def asks_unmarked(sim):
    """The same without marks; a prompt that is too long goes to a larger model."""
    assert sim
    for number in range(3):
        try:
            ask_openai(messages(f"Hi {number}"))
        except ELSEWHERE:
            ask_anthropic(messages(f"Hi {number}"))
        except openai.BadRequestError as error:
            if error.code == "context_length_exceeded":
                ask_openai(messages(f"Hi {number}"), model="gpt-4.1")


def reads_a_stream(sim):
    """Streams that begin again elsewhere as long as nothing was shown, and whole answers alone are returned."""
    for number in range(3):
        with sim.call(f"stream {number}"):
            shown = ""
            try:
                for chunk in ask_openai(messages(), stream=True):
                    shown += chunk.choices[0].delta.content or "" if chunk.choices else ""
                if not shown:
                    ask_anthropic(messages())
            except (*ELSEWHERE, openai.APIError, ValueError) as error:
                if not shown and not isinstance(error, openai.BadRequestError):
                    ask_anthropic(messages())


def runs_a_tool(sim):
    """An agent whose tool runs once, whose history grows, and is sent as it was after a failure."""
    with sim.call("agent"):
        history = messages()
        for turn in range(3):
            for pause in (1.0, 2.0, 4.0, 0.0):
                try:
                    answer = ask_openai(list(history), tools=TOOLS)
                except ELSEWHERE:
                    time.sleep(pause + random.random())
                    continue
                except openai.BadRequestError:
                    return
                break
            else:
                return
            history += [{"role": "assistant", "content": answer.choices[0].message.content}]
            history += [
                {"role": "assistant", "content": None, "tool_calls": [tool_call(f"call_{turn}")]},
                {"role": "tool", "tool_call_id": f"call_{turn}", "content": f"result {turn}"},
            ]


TOOLS = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}]


def tool_call(name):
    """Return a call of the tool."""
    return {"id": name, "type": "function", "function": {"name": "look", "arguments": "{}"}}


def asks_at_once(sim):
    """Twelve calls at a time; the SDK's own backoff has jitter."""

    async def ask(client, number):
        with sim.call(f"question {number}"):
            try:
                await client.chat.completions.create(model="gpt-4o", messages=messages(f"Hi {number}"))
            except (openai.OpenAIError, ValueError):
                return

    async def main():
        async with openai.AsyncOpenAI() as client:
            await asyncio.gather(*(ask(client, number) for number in range(12)))

    asyncio.run(main())


def goes_through_a_breaker(sim):
    """Calls through a circuit that opens after two failures, with another provider behind it."""
    breaker = pybreaker.CircuitBreaker(fail_max=2, reset_timeout=30, exclude=[openai.BadRequestError])
    sim.watch_breaker(breaker, provider="openai")
    for number in range(16):
        with sim.call(f"question {number}"):
            try:
                breaker.call(ask_openai, messages(f"Hi {number}"))
            except openai.BadRequestError:
                pass
            except (pybreaker.CircuitBreakerError, *ELSEWHERE):
                ask_anthropic(messages(f"Hi {number}"))
        time.sleep(3)


def chain():
    """Return a chain of our own layer, with its defaults and a circuit breaker."""
    providers = [OpenAIProvider(model="gpt-4o"), AnthropicProvider(model="claude-sonnet-4-6")]
    return FallbackChain(providers, circuit_breaker=CircuitBreakerConfig(failure_threshold=3, recovery_timeout=10))


def goes_through_our_layer(sim):
    """Our own client, whole answers and streams in turn."""
    assert sim
    client = LLMClient(chain())
    for number in range(14):
        with contextlib.suppress(LLMTestError):
            if number % 2:
                client.ask(f"Hi {number}")
            else:
                list(client.stream(CompletionRequest((ChatMessage.user(f"Hi {number}"),))))
        time.sleep(2)


def goes_through_our_layer_at_once(sim):
    """Our own client, twelve calls at a time."""
    assert sim

    async def main():
        client = AsyncLLMClient(chain())
        await asyncio.gather(*(client.ask(f"Hi {number}") for number in range(12)), return_exceptions=True)

    asyncio.run(main())


CLIENTS = [
    asks_in_turn,
    asks_unmarked,
    reads_a_stream,
    runs_a_tool,
    asks_at_once,
    goes_through_a_breaker,
    goes_through_our_layer,
    goes_through_our_layer_at_once,
]


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.__name__)
@pytest.mark.parametrize("name", SCHEDULES)
def test_nobody_innocent_is_accused(llm_sim, client, name):
    """None of these findings is one of a client that behaves, under any schedule."""
    schedule(llm_sim.openai, name)
    llm_sim.anthropic.echoes()
    client(llm_sim)
    llm_sim.assert_resilient(ignore=[finding for finding in EVERY if finding not in FINDINGS])
