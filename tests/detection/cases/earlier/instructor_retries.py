"""Faults that instructor had."""

import instructor
import openai
from pydantic import BaseModel

from llmtest import faults
from tests.detection._case import Case

HELLO = [{"role": "user", "content": "How old is Ada?"}]


class Person(BaseModel):
    """What is asked for."""

    name: str
    age: int


def ask(client, **more):
    """Ask for a person."""
    client = instructor.from_openai(client)
    return client.chat.completions.create(model="gpt-4o", messages=HELLO, response_model=Person, max_retries=3, **more)


class RateLimitAsBadAnswer(Case):
    """A 429 counts as an answer that does not fit: the same is asked again at once, whatever `Retry-After` says."""

    library = "instructor"
    thread = "567-labs/instructor#1907"
    findings = ("retry_after_ignored",)

    def script(self, sim):
        sim.openai.calls_tool("Person", {"name": "Ada"}).fails(faults.RateLimited(retry_after=5))
        sim.openai.calls_tool("Person", {"name": "Ada", "age": 36}, optional=True)

    def app(self, sim):
        return ask(openai.OpenAI(max_retries=0))

    def catch(self, sim, answer):
        sim.assert_waited(at_least=5)

    def cure(self, sim):
        return ask(openai.OpenAI(max_retries=2))
