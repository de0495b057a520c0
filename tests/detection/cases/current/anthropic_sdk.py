"""Faults around Anthropic's SDK."""

import asyncio
import random
import time

import anthropic

from llmtest import faults
from tests.detection._case import Case

HELLO = [{"role": "user", "content": "Tell me of Paris"}]
QUESTION = {"model": "claude-opus-5", "max_tokens": 99, "messages": HELLO}


def ask(client):
    """Ask for one whole answer."""
    return client.messages.create(**QUESTION).content[0].text


def read(client):
    """Ask for a stream, and return the message it comes to."""
    with client.messages.stream(**QUESTION) as stream:
        return stream.get_final_message()


class OverloadedInStream(Case):
    """An overload that is told inside a stream is not retried, although `max_retries=3` says so."""

    library = "anthropic"
    thread = "anthropics/anthropic-sdk-python#688"
    findings = ("gave_up",)
    raises = "APIStatusError"

    def script(self, sim):
        sim.anthropic.fails(faults.StreamError(0)).replies("Paris", optional=True)

    def app(self, sim):
        return read(anthropic.Anthropic(max_retries=3)).content[0].text

    def catch(self, sim, answer):
        sim.assert_attempts("anthropic", at_least=2)

    def cure(self, sim):
        for attempt in range(3):
            try:
                return read(anthropic.Anthropic()).content[0].text
            except anthropic.APIStatusError:
                time.sleep(2**attempt)
        raise TimeoutError


class RetryAfterUnbounded(Case):
    """A `Retry-After` of an hour is slept through, whatever limits the client has."""

    library = "anthropic"
    thread = "timbal-ai/timbal#117"
    findings = ("retry_after_unbounded",)
    cure_raises = "RateLimitError"

    def script(self, sim):
        sim.anthropic.fails(faults.RateLimited(retry_after=3600)).replies("Paris", optional=True)

    def app(self, sim):
        return ask(anthropic.Anthropic(timeout=20))

    def catch(self, sim, answer):
        sim.assert_waited(at_most=120)

    def cure(self, sim):
        client = anthropic.Anthropic(timeout=20, max_retries=0)
        while True:
            try:
                return ask(client)
            except anthropic.RateLimitError as error:
                seconds = float(error.response.headers["retry-after"])
                if seconds > 60:
                    raise
                time.sleep(seconds)


class TruncatedStream(Case):
    """`get_final_message` returns what there was of a stream that ended without `message_stop`."""

    library = "anthropic"
    thread = "strands-agents/harness-sdk#1971"
    findings = ("truncated_answer_accepted",)

    def script(self, sim):
        sim.anthropic.fails(faults.StreamTruncated(2)).replies("Paris it is", optional=True)

    def app(self, sim):
        return read(anthropic.Anthropic()).content[0].text

    def catch(self, sim, answer):
        sim.assert_attempts("anthropic", at_least=2)

    def cure(self, sim):
        for attempt in range(3):
            message = read(anthropic.Anthropic())
            if message.stop_reason is not None:
                return message.content[0].text
            time.sleep(2**attempt)
        raise TimeoutError


class RetryAfterSynchronised(Case):
    """Everybody who was told to come back in 30 s comes back in the same instant."""

    library = "anthropic"
    thread = "NousResearch/hermes-agent#109234"
    untold = "as-told"
    marks_its_calls = True

    def script(self, sim):
        sim.anthropic.fails(faults.RateLimited(retry_after=30), times=20).replies("Paris", times=None)
        sim.anthropic.latency(ttft=0.5)

    def crowd(self, sim, ask_one):
        async def main():
            client = anthropic.AsyncAnthropic(max_retries=0)
            await asyncio.gather(*(ask_one(sim, client, number) for number in range(20)))

        asyncio.run(main())

    def app(self, sim):
        async def one(sim, client, number):
            with sim.call(f"question {number}"):
                await client.with_options(max_retries=2).messages.create(**QUESTION)

        self.crowd(sim, one)

    def catch(self, sim, answer):
        sim.assert_max_in_flight("anthropic", 10)

    def cure(self, sim):
        async def one(sim, client, number):
            with sim.call(f"question {number}"):
                try:
                    await client.messages.create(**QUESTION)
                except anthropic.RateLimitError as error:
                    seconds = float(error.response.headers["retry-after"])
                    await asyncio.sleep(seconds * (1 + random.random()))
                    await client.messages.create(**QUESTION)

        self.crowd(sim, one)


class RetriesStacked(Case):
    """Four tries of the app times three of the SDK are twelve requests for one failure."""

    library = "anthropic"
    thread = "HKUDS/nanobot#2760"
    findings = ("retries_multiplied", "retry_storm")
    raises = "RateLimitError"
    cure_raises = "RateLimitError"

    def script(self, sim):
        sim.anthropic.fails(faults.RateLimited(), times=None)

    def persistent(self, client):
        for seconds in (1, 2, 4):
            try:
                return ask(client)
            except anthropic.RateLimitError:
                time.sleep(seconds)
        return ask(client)

    def app(self, sim):
        return self.persistent(anthropic.Anthropic())

    def catch(self, sim, answer):
        sim.assert_attempts("anthropic", at_most=4)

    def cure(self, sim):
        return self.persistent(anthropic.Anthropic(max_retries=0))


class ErrorInStream(Case):
    """An app whose own retries should get over an error that is told inside a stream."""

    findings = ("gave_up",)
    raises = "APIStatusError"

    def catch(self, sim, answer):
        sim.assert_attempts("anthropic", at_least=2)

    def persistent(self, may_pass):
        for attempt in range(3):
            try:
                return read(anthropic.Anthropic()).content[0].text
            except anthropic.APIStatusError as error:
                if not may_pass(error):
                    raise
                time.sleep(2**attempt)
        raise TimeoutError

    def cure(self, sim):
        return self.persistent(lambda error: error.status_code in {200, 429} or error.status_code >= 500)


class OverloadOfAnotherClass(ErrorInStream):
    """An overload inside a stream has the status 200 and no class of its own, so that handlers of 5xx pass it by."""

    library = "anthropic"
    thread = "Podden/openwebui_anthropic_api_manifold_pipe#19"

    def script(self, sim):
        sim.anthropic.fails(faults.StreamError(0)).replies("Paris", optional=True)

    def app(self, sim):
        return self.persistent(lambda error: isinstance(error, anthropic.InternalServerError))


class OverloadOfAnotherName(ErrorInStream):
    """The same failure is sometimes called `api_error`, which a search for `overloaded_error` does not find."""

    library = "anthropic"
    thread = "UKGovernmentBEIS/inspect_ai#2272"

    def script(self, sim):
        sim.anthropic.fails(faults.StreamError(0, error=faults.ServerError(500))).replies("Paris", optional=True)

    def app(self, sim):
        return self.persistent(lambda error: "overloaded_error" in str(error.body) or error.status_code >= 500)
