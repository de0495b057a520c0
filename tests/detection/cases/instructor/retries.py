"""Faults of instructor."""

import instructor
import openai
from pydantic import BaseModel

from tests.detection._case import Case

HELLO = [{"role": "user", "content": "How old is Ada?"}]


class Person(BaseModel):
    """What is asked for."""

    name: str
    age: int


class TimeoutIsBudget(Case):
    """`timeout=5`, the limit of one request, is taken for that of all tries: four are allowed and two made."""

    library = "instructor"
    thread = "567-labs/instructor#2633"
    untold = "limits"
    raises = "InstructorRetryException"

    def script(self, sim):
        sim.openai.latency(ttft=2.6).calls_tool("Person", {"name": "Ada"}, times=2)
        sim.openai.calls_tool("Person", {"name": "Ada", "age": 36}, optional=True)

    def ask(self, client, **more):
        client = instructor.from_openai(client)
        return client.chat.completions.create(
            model="gpt-4o", messages=HELLO, response_model=Person, max_retries=3, **more
        )

    def app(self, sim):
        return self.ask(openai.OpenAI(max_retries=0), timeout=5)

    def catch(self, sim, answer):
        sim.assert_attempts("openai", 3)

    def cure(self, sim):
        return self.ask(openai.OpenAI(max_retries=0, timeout=5))
