"""Faults around OpenAI's SDK."""

import asyncio
import time

import anthropic
import openai

from llmtest import faults
from tests.detection._case import Case

HELLO = [{"role": "user", "content": "Tell me of Paris"}]


def ask(client):
    """Ask for one whole answer."""
    return client.chat.completions.create(model="gpt-4o", messages=HELLO).choices[0].message.content


def read(client):
    """Ask for a stream, and return its text and why it ended."""
    text, reason = "", None
    for chunk in client.chat.completions.create(model="gpt-4o", messages=HELLO, stream=True):
        text += chunk.choices[0].delta.content or ""
        reason = chunk.choices[0].finish_reason
    return text, reason


class TimeoutMultiplied(Case):
    """A limit of 30 s is waited for three times, because a silent provider is asked again by itself."""

    library = "openai"
    thread = "openai/openai-python#3828"
    findings = ("timeouts_multiplied",)
    raises = "APITimeoutError"

    def script(self, sim):
        sim.openai.fails(faults.Timeout(), times=None)
        sim.anthropic.echoes()

    def app(self, sim):
        return ask(openai.OpenAI(timeout=30))

    def catch(self, sim, answer):
        sim.assert_waited(at_most=45)

    def cure(self, sim):
        try:
            return ask(openai.OpenAI(timeout=30, max_retries=0))
        except openai.APITimeoutError:
            client = anthropic.Anthropic(timeout=30)
            return client.messages.create(model="claude-opus-5", max_tokens=99, messages=HELLO).content[0].text


class TimeoutOfSilence(Case):
    """A limit of 1 s is one of silence: a stream that drips goes on for a minute and a half."""

    library = "openai"
    thread = "openai/openai-python#2599"
    findings = ("slow_stream_unbounded",)
    cure_raises = "TimeoutError"

    def script(self, sim):
        sim.openai.replies("word " * 100).latency(tokens_per_second=1.3)

    def app(self, sim):
        return read(openai.OpenAI(timeout=1))[0]

    def catch(self, sim, answer):
        sim.assert_waited(at_most=20)

    def cure(self, sim):
        async def main():
            client = openai.AsyncOpenAI(timeout=1)
            async with asyncio.timeout(15):
                stream = await client.chat.completions.create(model="gpt-4o", messages=HELLO, stream=True)
                return [chunk async for chunk in stream]

        return asyncio.run(main())


class DefaultTimeout(Case):
    """Nobody who sets no limit is told within ten minutes that a provider has fallen silent."""

    library = "openai"
    thread = "UKGovernmentBEIS/inspect_ai#5471"
    findings = ("no_read_timeout",)

    def script(self, sim):
        sim.openai.fails(faults.Timeout()).replies("Paris")

    def app(self, sim):
        return ask(openai.OpenAI())

    def catch(self, sim, answer):
        sim.assert_waited(at_most=120)

    def cure(self, sim):
        return ask(openai.OpenAI(timeout=30))


class QuotaRetried(Case):
    """An account without credit is asked three times: `insufficient_quota` comes as a 429."""

    library = "openai"
    thread = "mindsdb/anton#284"
    findings = ("retried_non_retryable",)
    raises = "RateLimitError"
    cure_raises = "RateLimitError"

    def script(self, sim):
        sim.openai.fails(faults.QuotaExceeded(), times=None)

    def app(self, sim):
        return ask(openai.OpenAI())

    def catch(self, sim, answer):
        sim.assert_attempts("openai", 1)

    def cure(self, sim):
        client = openai.OpenAI(max_retries=0)
        for attempt in range(3):
            try:
                return ask(client)
            except openai.RateLimitError as error:
                if error.code == "insufficient_quota":
                    raise
                time.sleep(2**attempt)
        return None


class TruncatedStream(Case):
    """A stream that ends without a `finish_reason` is half an answer, and nothing says so."""

    library = "openai"
    thread = "openai/openai-python#399"
    findings = ("truncated_answer_accepted",)

    def script(self, sim):
        sim.openai.fails(faults.StreamTruncated(2)).replies("Paris it is", optional=True)

    def app(self, sim):
        return read(openai.OpenAI())[0]

    def catch(self, sim, answer):
        sim.assert_attempts("openai", at_least=2)

    def cure(self, sim):
        for attempt in range(3):
            text, reason = read(openai.OpenAI())
            if reason is not None:
                return text
            time.sleep(2**attempt)
        raise TimeoutError


class NestedRetries(Case):
    """A retry loop around a function that retries by itself sends the square of the requests."""

    library = "openai"
    thread = "frankbria/auto-author#188"
    findings = ("retries_multiplied",)
    raises = "RateLimitError"
    cure_raises = "RateLimitError"

    def script(self, sim):
        sim.openai.fails(faults.RateLimited(), times=None)

    def persistent(self, client):
        for attempt in range(3):
            try:
                return ask(client)
            except openai.RateLimitError:
                if attempt == 2:
                    raise
                time.sleep(2**attempt)
        return None

    def app(self, sim):
        return self.persistent(openai.OpenAI(max_retries=2))

    def catch(self, sim, answer):
        sim.assert_attempts("openai", at_most=5)

    def cure(self, sim):
        return self.persistent(openai.OpenAI(max_retries=0))


class BrokenStreamNotRetried(Case):
    """`max_retries` ends where a stream begins: one whose connection breaks ends the run of an agent."""

    library = "openai"
    thread = "agentforce314/clawcodex#757"
    untold = "said"
    raises = "APIConnectionError"

    def script(self, sim):
        sim.openai.fails(faults.StreamDropped(2)).replies("Paris it is", optional=True)

    def app(self, sim):
        return read(openai.OpenAI(max_retries=5))[0]

    def catch(self, sim, answer):
        sim.assert_attempts("openai", at_least=2)

    def cure(self, sim):
        for attempt in range(3):
            try:
                return read(openai.OpenAI())[0]
            except openai.APIConnectionError:
                time.sleep(2**attempt)
        raise TimeoutError


class SilentForTenMinutes(Case):
    """Twelve tries of a minute each are twelve minutes of silence: the app's retries times the SDK's."""

    library = "openai"
    thread = "HKUDS/nanobot#2511"
    findings = ("retries_multiplied", "retry_storm", "timeouts_multiplied")
    raises = "APITimeoutError"

    def script(self, sim):
        sim.openai.fails(faults.Timeout(), times=None)
        sim.anthropic.echoes()

    def app(self, sim):
        client = openai.OpenAI(timeout=60)
        for seconds in (1, 2, 4):
            try:
                return ask(client)
            except openai.APITimeoutError:
                time.sleep(seconds)
        return ask(client)

    def catch(self, sim, answer):
        sim.assert_waited(at_most=120)

    def cure(self, sim):
        try:
            return ask(openai.OpenAI(timeout=60, max_retries=0))
        except openai.APITimeoutError:
            client = anthropic.Anthropic(timeout=60)
            return client.messages.create(model="claude-opus-5", max_tokens=99, messages=HELLO).content[0].text
