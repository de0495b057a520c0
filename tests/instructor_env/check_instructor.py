"""Every mode of instructor gets a valid model from `generates()`; run in an environment that has instructor."""

from collections.abc import Iterable
from typing import Literal

import anthropic
import instructor
import openai
import pytest
from pydantic import BaseModel, Field


class Stop(BaseModel):
    """A stop of a trip."""

    city: str
    kind: Literal["museum", "park"]


class Trip(BaseModel):
    """A trip, as an application wants it back."""

    title: str
    days: int = Field(ge=1, le=14)
    stops: list[Stop]
    note: str | None


MESSAGES = [{"role": "user", "content": "Plan a weekend in Paris."}]
OPENAI_MODES = [
    instructor.Mode.TOOLS,
    instructor.Mode.TOOLS_STRICT,
    instructor.Mode.FUNCTIONS,
    instructor.Mode.JSON,
    instructor.Mode.JSON_SCHEMA,
    instructor.Mode.MD_JSON,
]
ANTHROPIC_MODES = [instructor.Mode.ANTHROPIC_TOOLS, instructor.Mode.ANTHROPIC_JSON]


@pytest.mark.parametrize("mode", OPENAI_MODES, ids=lambda mode: mode.name)
def test_openai(llm_sim, mode):
    """One request, one valid model: instructor has nothing to ask again."""
    llm_sim.openai.generates()
    client = instructor.from_openai(openai.OpenAI(), mode=mode)
    found = client.chat.completions.create(model="gpt-4o", messages=MESSAGES, response_model=Trip)
    assert isinstance(found, Trip)
    assert len(llm_sim.openai.requests) == 1


@pytest.mark.parametrize("mode", ANTHROPIC_MODES, ids=lambda mode: mode.name)
def test_anthropic(llm_sim, mode):
    """The same at Anthropic, where a schema may be told in the system prompt alone."""
    llm_sim.anthropic.generates()
    client = instructor.from_anthropic(anthropic.Anthropic(), mode=mode)
    found = client.messages.create(model="claude-sonnet-4-5", max_tokens=4000, messages=MESSAGES, response_model=Trip)
    assert isinstance(found, Trip)
    assert len(llm_sim.anthropic.requests) == 1


@pytest.mark.parametrize("mode", [instructor.Mode.MD_JSON, instructor.Mode.JSON, instructor.Mode.TOOLS])
def test_partial_models_arrive_in_a_stream(llm_sim, mode):
    """The last of the partial models is the whole one."""
    llm_sim.openai.generates()
    client = instructor.from_openai(openai.OpenAI(), mode=mode)
    *_, last = client.chat.completions.create_partial(model="gpt-4o", messages=MESSAGES, response_model=Trip)
    assert Trip.model_validate(last.model_dump())


def test_openai_calls_tools_in_parallel(llm_sim):
    """Tools that are offered with `auto` are called."""
    llm_sim.openai.generates()
    client = instructor.from_openai(openai.OpenAI(), mode=instructor.Mode.PARALLEL_TOOLS)
    found = list(
        client.chat.completions.create(
            model="gpt-4o", messages=MESSAGES, response_model=Iterable[Trip | Stop], max_retries=0
        )
    )
    assert found
    assert all(isinstance(each, Trip | Stop) for each in found)


def test_anthropic_calls_tools_in_parallel(llm_sim):
    """The same at Anthropic."""
    llm_sim.anthropic.generates()
    client = instructor.from_anthropic(anthropic.Anthropic(), mode=instructor.Mode.ANTHROPIC_PARALLEL_TOOLS)
    found = list(
        client.messages.create(
            model="claude-sonnet-4-5", max_tokens=4000, messages=MESSAGES, response_model=Iterable[Trip | Stop]
        )
    )
    assert found
    assert all(isinstance(each, Trip | Stop) for each in found)


@pytest.mark.parametrize("mode", [instructor.Mode.MD_JSON, instructor.Mode.PARALLEL_TOOLS], ids=lambda mode: mode.name)
def test_a_plain_server_answers_too(llm_server, mode):
    """What works in process works on a port, whose default is generated answers."""
    llm_server.openai.generates()
    client = instructor.from_openai(openai.OpenAI(base_url=f"{llm_server.base_url}/v1"), mode=mode)
    wanted = Iterable[Trip | Stop] if mode is instructor.Mode.PARALLEL_TOOLS else Trip
    found = client.chat.completions.create(model="gpt-4o", messages=MESSAGES, response_model=wanted)
    assert isinstance(found, Trip) or all(isinstance(each, Trip | Stop) for each in found)
