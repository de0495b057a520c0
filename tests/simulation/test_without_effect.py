"""Options that are taken without any effect: each record lists its own, and the documentation lists them all."""

from pathlib import Path

import httpx2
import pytest

from llmtest import Simulation
from llmtest.wire import dialect
from tests.simulation.sim_calls import make_world, post

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "what-is-simulated.md"
MODELS = {"openai": "gpt-4o", "anthropic": "claude-sonnet-4-6"}
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}
BESIDE = {"parallel_tool_calls": {"tools": [TOOL]}}
"""What must stand beside an option, for the real API refuses it alone."""
OPTIONS = [
    (name, option, value, why)
    for name in MODELS
    for option, (value, why) in dialect(name).settings["without_effect"].items()
]


def said(answered):
    """Return what an answer says, and how much that was."""
    body = answered.json
    return body.get("choices") or body["content"], body["usage"]


@pytest.mark.parametrize(("name", "option", "value", "why"), OPTIONS, ids=[f"{row[0]}-{row[1]}" for row in OPTIONS])
def test_an_option_without_effect_is_taken_and_changes_nothing(name, option, value, why):
    """The request is answered as it is without the option; the page says what holds instead."""
    handle = make_world().provider(name).generates()
    beside = BESIDE.get(option, {})
    plain = post(handle, model=MODELS[name], **beside)
    given = post(handle, model=MODELS[name], **beside, **{option: value})
    assert (given.status, said(given)) == (200, said(plain))
    assert f"| `{option}` | {why} |" in PAGE.read_text()


TALK = [{"role": "user", "content": "hi"}]
SPOKEN = {
    "gemini": (
        "https://generativelanguage.googleapis.com/v1beta/models/gemini-2.0-flash:generateContent",
        {"contents": [{"parts": [{"text": "hi"}]}]},
        lambda said: (said["candidates"], said["usageMetadata"]),
    ),
    "ollama": (
        "http://localhost:11434/api/chat",
        {"model": "llama3.2", "messages": TALK, "stream": False},
        lambda said: (said["message"], said["eval_count"], said["prompt_eval_count"]),
    ),
    "cohere": (
        "https://api.cohere.com/v2/chat",
        {"model": "command-a-03-2025", "messages": TALK, "stream": False},
        lambda said: (said["message"], said["usage"]),
    ),
}
"""Of each further API where it is asked, what, and what of its answer an option might change."""


def own(name):
    """Return the record of an API's own words."""
    record = dialect(name)
    return record.mounts.get("/api", record)


@pytest.mark.parametrize("name", SPOKEN)
def test_the_options_without_effect_of_an_api_of_its_own_are_taken_and_change_nothing(name):
    """Each is taken alone and leaves the answer as it was; the page says what holds instead."""
    url, body, read = SPOKEN[name]
    with Simulation() as sim:
        getattr(sim, name).generates()
        plain = read(httpx2.post(url, headers={"x-goog-api-key": "k"}, json=body).json())
        for option, (value, why) in own(name).settings["without_effect"].items():
            *above, last = option.split(".")
            beside = {above[0]: {last: value}} if above else {last: value}
            given = httpx2.post(url, headers={"x-goog-api-key": "k"}, json={**body, **beside})
            assert (given.status_code, read(given.json())) == (200, plain), option
            assert f"| `{option}` | {why} |" in PAGE.read_text()
