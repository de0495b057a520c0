"""OpenAI chat completions: the request, between JSON and types."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from llmtest.types import (
    AudioPart,
    ChatMessage,
    CompletionRequest,
    ContentPart,
    OpaquePart,
    ToolCall,
    ToolDefinition,
)
from llmtest.wire._records import Unread
from llmtest.wire.openai._checks import RENAMED_ROLES, ROLES, check
from llmtest.wire.openai.chat._parts import (
    DIALECT,
    argument_text,
    decode_part,
    decode_tool_call,
    encode_parts,
    encode_tool_call,
    is_call,
)

_FUNCTION_FIELDS = frozenset({"name", "description", "parameters"})
_NEW_LIMIT = re.compile(r"(?:openai/)?(?:o\d|chatgpt-|codex-|gpt-(?!oss))")
_MODELLED = frozenset(
    {"messages", "model", "stream", "max_tokens", "max_completion_tokens", "temperature", "top_p", "stop", "tools"}
    | {"tool_choice", "seed"}
)


def encode_messages(messages: Sequence[ChatMessage]) -> list[dict[str, Any]]:
    """Write the conversation."""
    return [_encode_message(message) for message in messages]


def _encode_message(message: ChatMessage) -> dict[str, Any]:
    content = message.content
    encoded: dict[str, Any] = {
        "role": message.role,
        "content": content if content is None or isinstance(content, str) else encode_parts(content, message.role),
    }
    if message.name is not None:
        encoded["name"] = message.name
    calls: list[ToolCall | OpaquePart] = list(message.tool_calls)
    if type(content) is tuple:
        encoded.update(_said_earlier(content))
        calls[:0] = [part for part in content if is_call(part)]  # type: ignore[misc]  # is_call saw to it
    if calls:
        encoded["tool_calls"] = [encode_tool_call(call) for call in calls]
    if message.tool_call_id is not None:
        encoded["tool_call_id"] = message.tool_call_id
    return encoded


def _said_earlier(content: Sequence[ContentPart]) -> dict[str, Any]:
    """Return the field by which a prompt names a sound that the model made."""
    sounds = [part.id for part in content if isinstance(part, AudioPart) and part.id is not None]
    return {"audio": {"id": sounds[0]}} if sounds else {}


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


def _encode_tool_choice(choice: str) -> Any:
    return choice if choice in {"auto", "required", "none"} else {"type": "function", "function": {"name": choice}}


def encode_body(request: CompletionRequest, *, stream: bool) -> dict[str, Any]:
    """Write the body of a request.

    The limit goes by its new name, `max_completion_tokens`, to models that are OpenAI's by their name, because its
    reasoning models refuse the old one, and by `max_tokens` to all others, because some servers know only that.
    """
    extra = dict(request.extra_for(DIALECT))
    raw = extra.pop("messages", None)
    same = isinstance(raw, list) and decode_messages(raw) == request.messages
    body: dict[str, Any] = {"messages": raw if same else encode_messages(request.messages)}
    if request.model is not None:
        body["model"] = request.model
    if request.max_tokens is not None:
        body["max_completion_tokens" if _NEW_LIMIT.match(request.model or "") else "max_tokens"] = request.max_tokens
    if request.temperature is not None:
        body["temperature"] = request.temperature
    if request.top_p is not None:
        body["top_p"] = request.top_p
    if request.stop_sequences:
        body["stop"] = list(request.stop_sequences)
    raw = extra.pop("tools", None)
    if isinstance(raw, list) and decode_tools(raw) == request.tools:
        body["tools"] = raw
    elif request.tools:
        body["tools"] = encode_tools(request.tools)
    raw = extra.pop("tool_choice", None)
    if raw is not None and decode_tool_choice(raw) == request.tool_choice:
        body["tool_choice"] = raw
    elif request.tool_choice is not None:
        body["tool_choice"] = _encode_tool_choice(request.tool_choice)
    if request.seed is not None:
        body["seed"] = request.seed
    if stream:
        body["stream"] = True
        body["stream_options"] = {"include_usage": True}
    body.update(extra)
    return body


def decode_messages(raw: Sequence[Mapping[str, Any]]) -> tuple[ChatMessage, ...]:
    """Read a conversation that has been checked."""
    found = []
    for message in raw:
        role = message["role"]
        content = message.get("content")
        if len(message) == 2 and type(content) is str and role in ROLES:
            found.append(ChatMessage(role, content))
            continue
        calls = [call for call in map(decode_tool_call, message.get("tool_calls") or ()) if isinstance(call, ToolCall)]
        legacy = message.get("function_call")
        if isinstance(legacy, dict):
            calls.append(ToolCall("", legacy.get("name") or "", argument_text(legacy.get("arguments"))))
        found.append(
            ChatMessage(
                RENAMED_ROLES.get(role, role),
                tuple(map(decode_part, content)) if isinstance(content, list) else content,
                tuple(calls),
                message.get("tool_call_id"),
                message.get("name"),
            )
        )
    return tuple(found)


def decode_tools(raw: Sequence[Any]) -> tuple[ToolDefinition, ...]:
    """Read the tools that are functions."""
    found = []
    for tool in raw:
        function = tool.get("function") if isinstance(tool, dict) else None
        if not isinstance(function, dict) or not isinstance(function.get("name"), str):
            continue
        extra = {key: value for key, value in function.items() if key not in _FUNCTION_FIELDS}
        strict = extra.pop("strict") if isinstance(function.get("strict"), bool) else None
        parameters = function.get("parameters")
        if not isinstance(parameters, dict):
            parameters = {"type": "object", "properties": {}}
        more = {DIALECT: extra} if extra else {}
        found.append(ToolDefinition(function["name"], function.get("description"), parameters, more, strict=strict))
    return tuple(found)


def decode_tool_choice(raw: object) -> str | None:
    """Read `tool_choice`; a form without a word of ours is None and stays in `extra`."""
    if isinstance(raw, str):
        return raw
    function = raw.get("function") if isinstance(raw, dict) else None
    name = function.get("name") if isinstance(function, dict) else None
    return name if isinstance(name, str) else None


def decode_call(body: Mapping[str, Any]) -> tuple[CompletionRequest | None, Unread | None]:
    """Check the body of a request, and read it, or say how to, where it is as plain as most are.

    Raises:
        WireFormatError: OpenAI would refuse it; the error has OpenAI's words.
    """
    texts = check(body)
    if texts is None or body.get("tools") is not None or body.get("tool_choice") is not None:
        return _decode_body(body, is_plain=texts is not None), None
    limit = body.get("max_completion_tokens")
    return None, Unread(texts, body.get("max_tokens") if limit is None else limit, partial(_decode_body, body))


def _decode_body(body: Mapping[str, Any], *, is_plain: bool = True) -> CompletionRequest:
    """Read a body that has been checked; `is_plain` says that its messages are roles and texts."""
    raw_messages = body["messages"]
    messages = decode_messages(raw_messages)
    extra = {key: value for key, value in body.items() if key not in _MODELLED and value is not None}
    if not is_plain and encode_messages(messages) != raw_messages:
        extra["messages"] = raw_messages
    raw_tools = body.get("tools")
    tools: tuple[ToolDefinition, ...] = ()
    if raw_tools:
        tools = decode_tools(raw_tools)
        if encode_tools(tools) != raw_tools:
            extra["tools"] = raw_tools
    raw_choice = body.get("tool_choice")
    choice = None
    if raw_choice is not None:
        choice = decode_tool_choice(raw_choice)
        if choice is None or _encode_tool_choice(choice) != raw_choice:
            extra["tool_choice"] = raw_choice
    stop = body.get("stop")
    limit = body.get("max_completion_tokens")
    return CompletionRequest(
        messages=messages,
        model=body["model"],
        max_tokens=body.get("max_tokens") if limit is None else limit,
        temperature=body.get("temperature"),
        top_p=body.get("top_p"),
        stop_sequences=() if not stop else (stop,) if isinstance(stop, str) else tuple(stop),
        tools=tools,
        tool_choice=choice,
        seed=body.get("seed"),
        stream=body.get("stream") is True,
        extra={DIALECT: extra} if extra else {},
    )
