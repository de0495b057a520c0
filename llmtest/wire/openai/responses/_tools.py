"""The tools of a response, flat where Chat Completions nests them, between JSON and types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from llmtest.types import CompletionRequest, ToolDefinition
from llmtest.wire.openai._shared_words import decode_function
from llmtest.wire.openai.responses._items import DIALECT

__all__ = ["decode_choice", "decode_tools", "encode_choice", "encode_tools", "read_tools", "write_tools"]

_FIELDS = frozenset({"type", "name", "description", "parameters", "strict"})


def encode_tools(tools: Sequence[ToolDefinition]) -> list[dict[str, Any]]:
    """Write the tools as functions; `strict` is always said, because here, unlike elsewhere, its default is yes."""
    return [
        {
            "type": "function",
            "name": tool.name,
            **({} if tool.description is None else {"description": tool.description}),
            "parameters": tool.parameters,
            "strict": tool.strict is True,
            **tool.extra_for(DIALECT),
        }
        for tool in tools
    ]


def decode_tools(raw: object) -> tuple[ToolDefinition, ...]:
    """Read the tools that are functions; those that OpenAI runs itself stay what they are."""
    found = raw if isinstance(raw, list) else ()
    return tuple(
        decode_function(tool, _FIELDS, strict=True if tool.get("strict") is True else None)
        for tool in found
        if _is_function(tool)
    )


def _is_function(tool: object) -> bool:
    return isinstance(tool, dict) and tool.get("type") == "function" and isinstance(tool.get("name"), str)


def encode_choice(choice: str) -> Any:
    """Write `tool_choice`."""
    return choice if choice in {"auto", "required", "none"} else {"type": "function", "name": choice}


def decode_choice(raw: object) -> str | None:
    """Read `tool_choice`; a form without a word of ours is None and stays in `extra`."""
    if isinstance(raw, str):
        return raw
    if isinstance(raw, dict) and raw.get("type") == "allowed_tools":
        return raw["mode"] if raw.get("mode") in ("auto", "required") else None
    name = raw.get("name") if isinstance(raw, dict) and raw.get("type") == "function" else None
    return name if isinstance(name, str) else None


def write_tools(request: CompletionRequest, extra: dict[str, Any], body: dict[str, Any]) -> None:
    """Write tools and choice into a body; what of `extra` says the same in more words is written."""
    raw = extra.pop("tools", None)
    if isinstance(raw, list) and decode_tools(raw) == request.tools:
        body["tools"] = raw
    elif request.tools:
        body["tools"] = encode_tools(request.tools)
    raw = extra.pop("tool_choice", None)
    if raw is not None and decode_choice(raw) == request.tool_choice:
        body["tool_choice"] = raw
    elif request.tool_choice is not None:
        body["tool_choice"] = encode_choice(request.tool_choice)


def read_tools(body: Mapping[str, Any], extra: dict[str, Any]) -> tuple[tuple[ToolDefinition, ...], str | None]:
    """Read tools and choice; what says more than they can stays in `extra`."""
    raw = body.get("tools")
    tools = decode_tools(raw)
    if raw and encode_tools(tools) != raw:
        extra["tools"] = raw
    raw = body.get("tool_choice")
    choice = None if raw is None else decode_choice(raw)
    if raw is not None and (choice is None or encode_choice(choice) != raw):
        extra["tool_choice"] = raw
    return tools, choice
