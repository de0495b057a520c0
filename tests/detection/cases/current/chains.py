"""Faults of chains and retries that apps write themselves over the official SDKs."""

import asyncio
import random
import time

import anthropic
import openai

from llmtest import faults
from tests.detection._case import Case

HELLO = [{"role": "user", "content": "Tell me of Paris"}]


def ask_openai():
    """Ask the first of the chain."""
    with openai.OpenAI(max_retries=0, timeout=10) as client:
        return client.chat.completions.create(model="gpt-4o", messages=HELLO).choices[0].message.content


def ask_anthropic():
    """Ask the second of the chain."""
    with anthropic.Anthropic(max_retries=0, timeout=10) as client:
        return client.messages.create(model="claude-opus-5", max_tokens=99, messages=HELLO).content[0].text


class NoMemory(Case):
    """A chain without memory pays the timeout of its dead head again with every message."""

    library = "openai"
    thread = "damianvtran/local-operator#198"
    findings = ("dead_provider_walked",)
    marks_its_calls = True

    def script(self, sim):
        sim.openai.fails(faults.Timeout(), times=None)
        sim.anthropic.echoes()

    def ask(self, sim, bench):
        benched_until = 0.0
        for number in range(12):
            with sim.call(f"message {number}"):
                try:
                    if time.monotonic() < benched_until:
                        raise openai.APITimeoutError(request=None)
                    ask_openai()
                except openai.APIError:
                    if time.monotonic() >= benched_until:
                        benched_until = time.monotonic() + bench
                    ask_anthropic()

    def app(self, sim):
        self.ask(sim, bench=0)

    def catch(self, sim, answer):
        sim.assert_attempts("openai", at_most=3)

    def cure(self, sim):
        self.ask(sim, bench=300)


class WholeChainForWrongRequest(Case):
    """A request that is wrong is replayed along the whole chain, and fails at each of its providers."""

    library = "openai"
    thread = "NousResearch/hermes-agent#53909"
    findings = ("fallback_on_client_error",)
    raises = "BadRequestError"
    cure_raises = "BadRequestError"

    def script(self, sim):
        sim.openai.fails(faults.InvalidRequest())
        sim.anthropic.fails(faults.InvalidRequest(), optional=True)

    def ask(self, *errors):
        try:
            return ask_openai()
        except errors:
            return ask_anthropic()

    def app(self, sim):
        return self.ask(openai.APIError)

    def catch(self, sim, answer):
        sim.assert_attempts("anthropic", 0)

    def cure(self, sim):
        return self.ask(openai.RateLimitError, openai.InternalServerError, openai.APIConnectionError)


class WaitsInStep(Case):
    """Waits that double without a random part bring everybody back in the same instant."""

    library = "openai"
    thread = "microsoft/agent-governance-toolkit#2144"
    findings = ("backoff_synchronised",)
    marks_its_calls = True

    def script(self, sim):
        sim.openai.fails(faults.ServerError(503), times=20).replies("Paris", times=None).latency(ttft=0.5)

    def crowd(self, sim, wait):
        async def one(client, number):
            with sim.call(f"question {number}"):
                for attempt in range(5):
                    try:
                        return await client.chat.completions.create(model="gpt-4o", messages=HELLO)
                    except openai.InternalServerError:
                        await asyncio.sleep(wait(attempt))
                raise TimeoutError

        async def main():
            client = openai.AsyncOpenAI(max_retries=0)
            await asyncio.gather(*(one(client, number) for number in range(20)))

        asyncio.run(main())

    def app(self, sim):
        self.crowd(sim, lambda attempt: 8 * 2**attempt)

    def catch(self, sim, answer):
        sim.assert_max_in_flight("openai", 10)

    def cure(self, sim):
        self.crowd(sim, lambda attempt: 8 * 2**attempt * (0.5 + random.random()))
