"""Faults that OpenAI's SDK had."""

import time

import httpx
import openai

from llmtest import faults
from tests.detection._case import Case

HELLO = [{"role": "user", "content": "Tell me of Paris"}]


class LongRetryAfterIgnored(Case):
    """A `Retry-After` of more than a minute is taken for none: the provider is asked again in half a second."""

    library = "openai"
    thread = "openai/openai-python#3555"
    findings = ("retry_after_ignored",)

    def script(self, sim):
        sim.openai.fails(faults.RateLimited(retry_after=90)).replies("Paris")

    def app(self, sim):
        client = openai.OpenAI()
        return client.chat.completions.create(model="gpt-4o", messages=HELLO).choices[0].message.content

    def catch(self, sim, answer):
        sim.assert_waited(at_least=90)

    def cure(self, sim):
        client = openai.OpenAI(max_retries=0)
        while True:
            try:
                return client.chat.completions.create(model="gpt-4o", messages=HELLO).choices[0].message.content
            except openai.RateLimitError as error:
                time.sleep(float(error.response.headers["retry-after"]))


class StreamTimeoutNotItsOwn(Case):
    """A stream that falls silent raises httpx's error, not `APITimeoutError`: nobody who handles that is helped."""

    library = "openai"
    thread = "openai/openai-python#2986"
    findings = ("gave_up",)
    raises = "ReadTimeout"

    def script(self, sim):
        sim.openai.fails(faults.StreamStalled(0)).replies("Paris", optional=True)

    def ask(self, *errors):
        client = openai.OpenAI(timeout=10)
        for attempt in range(3):
            try:
                stream = client.chat.completions.create(model="gpt-4o", messages=HELLO, stream=True)
                return "".join(chunk.choices[0].delta.content or "" for chunk in stream)
            except errors:
                time.sleep(2**attempt)
        raise TimeoutError

    def app(self, sim):
        return self.ask(openai.APITimeoutError)

    def catch(self, sim, answer):
        sim.assert_attempts("openai", at_least=2)

    def cure(self, sim):
        return self.ask(openai.APITimeoutError, httpx.TimeoutException)
