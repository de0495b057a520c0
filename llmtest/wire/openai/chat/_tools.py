"""The tools of a chat completion, and the functions that they were called in 2023, between JSON and types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from llmtest.types import CompletionRequest, ToolDefinition
from llmtest.wire.openai._shared_words import decode_function
from llmtest.wire.openai.chat._parts import DIALECT

_FUNCTION_FIELDS = frozenset({"name", "description", "parameters"})


def encode_tools(tools: Sequence[ToolDefinition]) -> list[dict[str, Any]]:
    """Write the tools as functions."""
    found = []
    for tool in tools:
        function: dict[str, Any] = {"name": tool.name}
        if tool.description is not None:
            function["description"] = tool.description
        function["parameters"] = tool.parameters
        if tool.strict is not None:
            function["strict"] = tool.strict
        function.update(tool.extra_for(DIALECT))
        found.append({"type": "function", "function": function})
    return found


def decode_tools(raw: Sequence[Any]) -> tuple[ToolDefinition, ...]:
    """Read the tools that are functions."""
    return decode_functions([tool.get("function") for tool in raw if isinstance(tool, dict)])


def decode_functions(raw: object) -> tuple[ToolDefinition, ...]:
    """Read `functions`, which came before `tools`."""
    found = raw if isinstance(raw, list) else ()
    return tuple(
        _decode_function(each) for each in found if isinstance(each, dict) and isinstance(each.get("name"), str)
    )


def _decode_function(function: Mapping[str, Any]) -> ToolDefinition:
    strict = function.get("strict")
    if not isinstance(strict, bool):
        return decode_function(function, _FUNCTION_FIELDS, strict=None)
    return decode_function(function, _FUNCTION_FIELDS | {"strict"}, strict=strict)


def _encode_choice(choice: str) -> Any:
    return choice if choice in {"auto", "required", "none"} else {"type": "function", "function": {"name": choice}}


def decode_choice(raw: object) -> str | None:
    """Read `tool_choice`; a form without a word of ours is None and stays in `extra`."""
    if isinstance(raw, str):
        return raw
    if isinstance(raw, dict) and raw.get("type") == "allowed_tools":
        allowed = raw.get("allowed_tools")
        mode = allowed.get("mode") if isinstance(allowed, dict) else None
        return mode if mode in {"auto", "required"} else None
    function = raw.get("function") if isinstance(raw, dict) else None
    name = function.get("name") if isinstance(function, dict) else None
    return name if isinstance(name, str) else None


def decode_function_choice(raw: object) -> str | None:
    """Read `function_call`, which came before `tool_choice`."""
    name = raw.get("name") if isinstance(raw, dict) else raw
    return name if isinstance(name, str) else None


def write_tools(request: CompletionRequest, extra: dict[str, Any], body: dict[str, Any]) -> None:
    """Write tools and choice into a body; what of `extra` says the same in more words, or in older ones, is written."""
    functions, choice = extra.pop("functions", None), extra.pop("function_call", None)
    if functions is not None and decode_functions(functions) == request.tools:
        body["functions"] = functions
        if choice is not None and decode_function_choice(choice) == request.tool_choice:
            body["function_call"] = choice
        return
    raw = extra.pop("tools", None)
    if isinstance(raw, list) and decode_tools(raw) == request.tools:
        body["tools"] = raw
    elif request.tools:
        body["tools"] = encode_tools(request.tools)
    raw = extra.pop("tool_choice", None)
    if raw is not None and decode_choice(raw) == request.tool_choice:
        body["tool_choice"] = raw
    elif request.tool_choice is not None:
        body["tool_choice"] = _encode_choice(request.tool_choice)


def read_tools(body: Mapping[str, Any], extra: dict[str, Any]) -> tuple[tuple[ToolDefinition, ...], str | None]:
    """Read tools and choice; what says more than they can stays in `extra`, and so does the old form of both."""
    raw = body.get("tools")
    if not raw and body.get("functions"):
        return decode_functions(body["functions"]), decode_function_choice(body.get("function_call"))
    tools: tuple[ToolDefinition, ...] = ()
    if raw:
        tools = decode_tools(raw)
        if encode_tools(tools) != raw:
            extra["tools"] = raw
    raw = body.get("tool_choice")
    if raw is None:
        return tools, None
    choice = decode_choice(raw)
    if choice is None or _encode_choice(choice) != raw:
        extra["tool_choice"] = raw
    return tools, choice
