"""Faults that instructor had."""

import instructor
import openai
from pydantic import BaseModel, field_validator

from llmtest import faults
from tests.detection._case import Case

HELLO = [{"role": "user", "content": "How old is Ada?"}]


class Person(BaseModel):
    """What is asked for."""

    name: str
    age: int


class FullName(Person):
    """What is asked for, with first and last name."""

    @field_validator("name")
    @classmethod
    def has_both(cls, name):
        if name and " " not in name:
            raise ValueError("first and last name")
        return name


def ask(client, model=Person):
    """Ask for a person."""
    client = instructor.from_openai(client)
    return client.chat.completions.create(model="gpt-4o", messages=HELLO, response_model=model, max_retries=3)


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


class PartialNotChecked(Case):
    """The last of a stream of partial answers is not checked: a field that is required stays empty."""

    library = "instructor"
    thread = "567-labs/instructor#1993"
    untold = "content"

    def script(self, sim):
        sim.openai.calls_tool("Person", {"name": "Ada"})
        sim.openai.calls_tool("Person", {"name": "Ada", "age": 36}, times=None)

    def app(self, sim):
        client = instructor.from_openai(openai.OpenAI(max_retries=0))
        asked = {"model": "gpt-4o", "messages": HELLO, "response_model": Person, "max_retries": 3}
        return list(client.chat.completions.create_partial(**asked))[-1]

    def catch(self, sim, answer):
        sim.assert_attempts("openai", 2)

    def cure(self, sim):
        return ask(openai.OpenAI(max_retries=0))


class StreamNotAskedAgain(Case):
    """A streamed answer that does not fit ends in an error of instructor's own, however many retries are left."""

    library = "instructor"
    thread = "567-labs/instructor#1991"
    untold = "content"
    raises = "InstructorRetryException"

    def script(self, sim):
        sim.openai.calls_tool("FullName", {"name": "Ada", "age": 36})
        sim.openai.calls_tool("FullName", {"name": "Ada Lovelace", "age": 36}, times=None)

    def app(self, sim):
        client = instructor.from_openai(openai.OpenAI(max_retries=0))
        asked = {"model": "gpt-4o", "messages": HELLO, "response_model": FullName, "max_retries": 3}
        return list(client.chat.completions.create_partial(**asked))[-1]

    def catch(self, sim, answer):
        sim.assert_attempts("openai", 2)

    def cure(self, sim):
        return ask(openai.OpenAI(max_retries=0), FullName)
