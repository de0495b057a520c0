"""The tools of an Anthropic message, and which of them it is to call, between JSON and types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from llmtest.types import CompletionRequest, ToolDefinition
from llmtest.wire.anthropic.messages._parts import DIALECT, cache_control, cache_ttl

_TOOL_FIELDS = frozenset({"name", "description", "input_schema"})
_CHOICES = {"auto": "auto", "required": "any", "none": "none"}
_CHOICE_WORDS = {"auto": "auto", "any": "required", "none": "none"}


def encode_tools(tools: Sequence[ToolDefinition]) -> list[dict[str, Any]]:
    """Write the tools."""
    found = []
    for tool in tools:
        encoded: dict[str, Any] = {"name": tool.name}
        if tool.description is not None:
            encoded["description"] = tool.description
        encoded["input_schema"] = tool.parameters
        if tool.strict is not None:
            encoded["strict"] = tool.strict
        encoded.update(cache_control(tool.cache_ttl))
        encoded.update(tool.extra_for(DIALECT))
        found.append(encoded)
    return found


def decode_tools(raw: Sequence[Any]) -> tuple[ToolDefinition, ...]:
    """Read the tools with a schema; the provider's own server tools have none and stay in `extra`."""
    found = []
    for tool in raw:
        if not isinstance(tool, dict) or not isinstance(tool.get("input_schema"), dict):
            continue
        extra = {key: value for key, value in tool.items() if key not in _TOOL_FIELDS}
        strict = extra.pop("strict") if isinstance(tool.get("strict"), bool) else None
        ttl = cache_ttl(tool)
        if cache_control(ttl).get("cache_control") == tool.get("cache_control"):
            extra.pop("cache_control", None)
        found.append(
            ToolDefinition(
                tool.get("name") or "",
                tool.get("description"),
                tool["input_schema"],
                {DIALECT: extra} if extra else {},
                strict=strict,
                cache_ttl=ttl,
            )
        )
    return tuple(found)


def encode_choice(choice: str | None, parallel: bool | None) -> dict[str, Any] | None:
    """Write which tool is to be called, and whether several may be at once; None where nothing is asked for."""
    if choice is None and parallel is None:
        return None
    word = "auto" if choice is None else choice
    found = {"type": _CHOICES[word]} if word in _CHOICES else {"type": "tool", "name": word}
    if parallel is not None and word != "none":
        return {**found, "disable_parallel_tool_use": not parallel}
    return found


def decode_choice(raw: object) -> tuple[str | None, bool | None]:
    """Read which tool is to be called, and whether several may be at once."""
    if not isinstance(raw, dict):
        return None, None
    alone = raw.get("disable_parallel_tool_use")
    parallel = not alone if isinstance(alone, bool) else None
    if raw.get("type") == "tool":
        name = raw.get("name")
        return name if isinstance(name, str) else None, parallel
    return _CHOICE_WORDS.get(str(raw.get("type"))), parallel


def write_tools(request: CompletionRequest, extra: dict[str, Any], body: dict[str, Any]) -> None:
    """Write tools and choice into a body; what of `extra` says the same in more words is written as it is."""
    raw = extra.pop("tools", None)
    if isinstance(raw, list) and decode_tools(raw) == request.tools:
        body["tools"] = raw
    elif request.tools:
        body["tools"] = encode_tools(request.tools)
    choice, parallel = request.tool_choice, request.parallel_tool_calls
    if choice is None and "tools" not in body:
        parallel = None  # There is nothing to call, and Anthropic refuses a choice of nothing.
    raw = extra.pop("tool_choice", None)
    if raw is not None and decode_choice(raw) == (request.tool_choice, request.parallel_tool_calls):
        body["tool_choice"] = raw
        return
    found = encode_choice(choice, parallel)
    if found is not None:
        body["tool_choice"] = found


def read_tools(
    body: Mapping[str, Any], extra: dict[str, Any]
) -> tuple[tuple[ToolDefinition, ...], str | None, bool | None]:
    """Read tools, choice and whether several may be called at once; what says more stays in `extra`."""
    raw = body.get("tools")
    tools: tuple[ToolDefinition, ...] = ()
    if raw:
        tools = decode_tools(raw)
        if encode_tools(tools) != raw:
            extra["tools"] = raw
    raw = body.get("tool_choice")
    if raw is None:
        return tools, None, None
    choice, parallel = decode_choice(raw)
    if choice is None or encode_choice(choice, parallel) != raw:
        extra["tool_choice"] = raw
    return tools, choice, parallel
