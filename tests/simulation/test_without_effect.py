"""Options that are taken without any effect: each record lists its own, and the documentation lists them all."""

from pathlib import Path

import pytest

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
