"""OpenAI chat completions: the request, between JSON and types."""

from __future__ import annotations

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
)
from llmtest.wire._records import Unread
from llmtest.wire.openai._checks import RENAMED_ROLES, ROLES, check
from llmtest.wire.openai._strict import check_strictly
from llmtest.wire.openai.chat._options import decode_options, encode_limit, encode_options
from llmtest.wire.openai.chat._parts import (
    DIALECT,
    argument_text,
    decode_part,
    decode_tool_call,
    encode_parts,
    encode_tool_call,
    is_call,
)
from llmtest.wire.openai.chat._tools import read_tools, write_tools

_TOOL_FIELDS = frozenset({"tools", "tool_choice", "functions"})
_MODELLED = frozenset(
    {"messages", "model", "stream", "max_tokens", "max_completion_tokens", "temperature", "top_p", "stop", "tools"}
    | {"tool_choice"}
)


_BARE = frozenset({"messages", "model", "stream", "stream_options", "max_tokens", "max_completion_tokens", "user"}) | (
    frozenset({"temperature", "top_p", "seed", "frequency_penalty", "presence_penalty"})
)
"""Fields beside which a request asks for nothing that changes the answer."""


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
        encoded["content"] = encoded["content"] or None
        encoded["tool_calls"] = [encode_tool_call(call) for call in calls]
    if message.tool_call_id is not None:
        encoded["tool_call_id"] = message.tool_call_id
    return encoded


def _said_earlier(content: Sequence[ContentPart]) -> dict[str, Any]:
    """Return the field by which a prompt names a sound that the model made."""
    sounds = [part.id for part in content if isinstance(part, AudioPart) and part.id is not None]
    return {"audio": {"id": sounds[0]}} if sounds else {}


def encode_body(request: CompletionRequest, *, stream: bool) -> dict[str, Any]:
    """Write the body of a request.

    Raises:
        NotSupportedError: Something of it cannot be said here.
    """
    extra = dict(request.extra_for(DIALECT))
    raw = extra.pop("messages", None)
    same = isinstance(raw, list) and decode_messages(raw) == request.messages
    body: dict[str, Any] = {"messages": raw if same else encode_messages(request.messages)}
    if request.model is not None:
        body["model"] = request.model
    encode_limit(request, body)
    if request.temperature is not None:
        body["temperature"] = request.temperature
    if request.top_p is not None:
        body["top_p"] = request.top_p
    if request.stop_sequences:
        body["stop"] = list(request.stop_sequences)
    write_tools(request, extra, body)
    encode_options(request, extra, body)
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


def decode_call(
    body: Mapping[str, Any], *, strict: frozenset[str] | None = None
) -> tuple[CompletionRequest | None, Unread | None]:
    """Check the body of a request, and read it, or say how to, where it is as plain as most are.

    Args:
        body: The request, parsed.
        strict: Fields that are known beside OpenAI's, where it is OpenAI itself that is asked, or who refuses as much;
            None for servers that speak like it.

    Raises:
        WireFormatError: OpenAI would refuse it; the error has OpenAI's words.
    """
    texts = check(body)
    if strict is not None:
        check_strictly(body, is_plain=texts is not None, further=strict)
    is_bare = body.keys() <= _BARE
    if texts is None or not (is_bare or _TOOL_FIELDS.isdisjoint(body)):
        return _decode_body(body, is_plain=texts is not None), None
    limit = body.get("max_completion_tokens")
    most = body.get("max_tokens") if limit is None else limit
    return None, Unread(texts, most, partial(_decode_body, body), is_bare)


def _decode_body(body: Mapping[str, Any], *, is_plain: bool = True) -> CompletionRequest:
    """Read a body that has been checked; `is_plain` says that its messages are roles and texts."""
    raw_messages = body["messages"]
    messages = decode_messages(raw_messages)
    extra = {key: value for key, value in body.items() if key not in _MODELLED and value is not None}
    if not is_plain and encode_messages(messages) != raw_messages:
        extra["messages"] = raw_messages
    tools, choice = read_tools(body, extra)
    options = decode_options(body, extra) if extra else {}
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
        stream=body.get("stream") is True,
        extra={DIALECT: extra} if extra else {},
        **options,
    )
