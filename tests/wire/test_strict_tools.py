"""What the real providers refuse of tools, schemas and thoughts, in their words; compatible servers take it."""

import json

import pytest
from pydantic import BaseModel

from llmtest.wire import WireFormatError
from llmtest.wire import dialect as dialect_of

SAY = [{"role": "user", "content": "Hi"}]
OPEN = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
CLOSED = {**OPEN, "additionalProperties": False}
LOOSE = {**CLOSED, "required": []}
NESTED = {**CLOSED, "properties": {"a": {"type": "array", "items": OPEN}}}
NULLABLE = {**CLOSED, "properties": {"a": {"anyOf": [{"type": "null"}, LOOSE]}}}
REFERRED = {**CLOSED, "properties": {"a": {"$ref": "#/$defs/Inner"}}, "$defs": {"Inner": OPEN}}
NOT_CLOSED = "'additionalProperties' is required to be supplied and to be false."
NOT_ALL = "'required' is required to be supplied and to be an array including every key in properties. Missing 'a'."
CONSULT = (
    "`max_tokens` must be greater than `thinking.budget_tokens`. Please consult our documentation at "
    "https://docs.claude.com/en/docs/build-with-claude/extended-thinking#max-tokens-and-context-window-size"
)


def formed(schema, *, strict=True):
    """Return the fields of a request for structured output."""
    return {
        "response_format": {"type": "json_schema", "json_schema": {"name": "x", "strict": strict, "schema": schema}}
    }


def tools(schema, **more):
    """Return the fields of a request with one tool."""
    return {"tools": [{"type": "function", "function": {"name": "f", "parameters": schema, **more}}]}


def read(dialect, fields, headers=None):
    """Read a request with the given fields."""
    name = "anthropic" if dialect == "anthropic" else "openai"
    path = {"openai": "/v1/chat/completions", "anthropic": "/v1/messages"}[name]
    body = {"model": "gpt-4o", "messages": SAY, "max_tokens": 5, **fields}
    return dialect_of(dialect).read("POST", path, "", headers or {}, json.dumps(body).encode())


OPENAI = [
    (formed(OPEN), f"Invalid schema for response_format 'x': In context=(), {NOT_CLOSED}", "response_format", None),
    (formed(LOOSE), f"Invalid schema for response_format 'x': In context=(), {NOT_ALL}", "response_format", None),
    (
        formed(NESTED),
        f"Invalid schema for response_format 'x': In context=('properties', 'a', 'items'), {NOT_CLOSED}",
        "response_format",
        None,
    ),
    (
        formed(NULLABLE),
        f"Invalid schema for response_format 'x': In context=('properties', 'a', 'anyOf', '1'), {NOT_ALL}",
        "response_format",
        None,
    ),
    (
        formed(REFERRED),
        f"Invalid schema for response_format 'x': In context=('$defs', 'Inner'), {NOT_CLOSED}",
        "response_format",
        None,
    ),
    (
        tools(OPEN, strict=True),
        f"Invalid schema for function 'f': In context=(), {NOT_CLOSED}",
        "tools[0].function.parameters",
        "invalid_function_parameters",
    ),
    *(
        (
            {field: value},
            f"Invalid value for '{field}': '{field}' is only allowed when 'tools' are specified.",
            field,
            None,
        )
        for field, value in (("tool_choice", "required"), ("tool_choice", "none"), ("parallel_tool_calls", False))
    ),
    (
        {**tools(OPEN), "tool_choice": {"type": "function", "function": {"name": "g"}}},
        "Invalid value for 'tool_choice': no function named 'g' was specified in the 'tools' parameter.",
        "tool_choice",
        None,
    ),
]


@pytest.mark.parametrize(("fields", "message", "param", "code"), OPENAI)
def test_openai_refuses_schemas_and_choices_that_cannot_be_followed(fields, message, param, code):
    """Each with the message, parameter and code of its 400; a server that is only compatible answers."""
    with pytest.raises(WireFormatError) as caught:
        read("openai", fields)
    error = caught.value.error
    assert (error.message, error.param, error.status) == (message, param, 400)
    assert error.code in {code, "invalid_request_error"}
    assert read("openai_compatible", fields).request


@pytest.mark.parametrize(
    "fields",
    [
        formed(CLOSED),
        formed(OPEN, strict=False),
        tools(OPEN),
        tools(CLOSED, strict=True),
        {**tools(OPEN), "tool_choice": {"type": "function", "function": {"name": "f"}}},
        {**tools(OPEN), "tool_choice": "required", "parallel_tool_calls": False},
    ],
)
def test_openai_takes_what_can_be_followed(fields):
    """A closed schema, one that nobody promised to follow, and a choice among tools that are there."""
    assert read("openai", fields).request


def test_openai_takes_what_its_own_sdk_makes_of_a_model():
    """`parse(Model)` and `pydantic_function_tool` close every object, those that are referred to as well."""
    from openai import pydantic_function_tool
    from openai.lib._pydantic import to_strict_json_schema

    class Inner(BaseModel):
        a: str | None = None

    class Outer(BaseModel):
        one: Inner
        many: list[Inner]
        maybe: Inner | None = None

    assert read("openai", formed(to_strict_json_schema(Outer))).request
    assert read("openai", {"tools": [pydantic_function_tool(Outer)]}).request


ANTHROPIC = [
    ({"tool_choice": {"type": "any"}}, "tool_choice.any may only be specified while providing tools"),
    ({"tool_choice": {"type": "auto"}, "tools": []}, "tool_choice.auto may only be specified while providing tools"),
    ({"thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 1024}, CONSULT),
    (
        {"thinking": {"type": "enabled", "budget_tokens": 100}, "max_tokens": 1024},
        "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024",
    ),
]


@pytest.mark.parametrize(("fields", "message"), ANTHROPIC)
def test_anthropic_refuses_choices_without_tools_and_thoughts_without_room(fields, message):
    """In the words of its 400."""
    with pytest.raises(WireFormatError) as caught:
        read("anthropic", fields)
    assert (caught.value.error.message, caught.value.error.status) == (message, 400)


def test_anthropic_lets_thoughts_between_calls_be_longer():
    """With the beta of interleaved thinking a budget is that of a whole turn."""
    fields = {"thinking": {"type": "enabled", "budget_tokens": 9000}, "max_tokens": 1024}
    assert read("anthropic", fields, {"anthropic-beta": "interleaved-thinking-2025-05-14"}).request
    assert read("anthropic", {"thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 1025}).request
