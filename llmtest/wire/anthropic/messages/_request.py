"""Anthropic messages: the request, between JSON and types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from llmtest.types import (
    ChatMessage,
    CompletionRequest,
    ContentPart,
    OpaquePart,
    Role,
    TextPart,
    ThinkingPart,
    ToolCall,
)
from llmtest.wire._foreign import can_say
from llmtest.wire._records import Unread
from llmtest.wire.anthropic._checks import check
from llmtest.wire.anthropic._strict import check_strictly
from llmtest.wire.anthropic.messages._options import decode_options, encode_options
from llmtest.wire.anthropic.messages._parts import DIALECT, decode_part, encode_part
from llmtest.wire.anthropic.messages._tools import read_tools, write_tools

DEFAULT_MAX_TOKENS = 4096
"""Anthropic requires a limit; this one is sent where the request has none."""

_MODELLED = frozenset(
    {"messages", "system", "model", "stream", "max_tokens", "temperature", "top_p", "stop_sequences", "tools"}
    | {"tool_choice"}
)


_BARE = frozenset({"messages", "system", "model", "stream", "max_tokens", "temperature", "top_p", "top_k"})
"""Fields beside which a request asks for nothing that changes the answer."""


def encode_system(messages: Sequence[ChatMessage]) -> Any:
    """Write all system messages as the `system` field; None where there are none."""
    found = [message for message in messages if message.role == "system"]
    if not found:
        return None
    if len(found) == 1 and isinstance(found[0].content, str):
        return found[0].content
    blocks: list[Mapping[str, Any]] = []
    for message in found:
        blocks += _encode_content(message.content, "system")
    return blocks


def encode_messages(messages: Sequence[ChatMessage]) -> list[dict[str, Any]]:
    """Write the conversation without its system messages; tool results in a row share one message of the user."""
    found: list[dict[str, Any]] = []
    results: list[Any] | None = None
    for message in messages:
        if message.role == "system":
            continue
        if message.role == "tool":
            if results is None:
                results = []
                found.append({"role": "user", "content": results})
            results.append(_encode_result(message))
            continue
        results = None
        content: Any = message.content
        if message.tool_calls or not isinstance(content, str):
            content = [*_encode_content(content, message.role), *map(encode_part, message.tool_calls)]
        found.append({"role": message.role, "content": content})
    return found


def _encode_result(message: ChatMessage) -> dict[str, Any]:
    content: Any = message.content
    if not isinstance(content, str):
        content = _encode_content(content, "tool")
    block = {"type": "tool_result", "tool_use_id": message.tool_call_id, "content": content}
    if message.is_error:
        block["is_error"] = True
    return block


def _encode_content(content: str | tuple[ContentPart, ...] | None, role: Role) -> list[Mapping[str, Any]]:
    if content is None:
        return []
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return [encode_part(part) for part in content if _is_said(part, role)]


def _is_said(part: ContentPart, role: Role) -> bool:
    """Whether a part can be said to Anthropic: thoughts need its proof that they are its own."""
    if isinstance(part, ThinkingPart):
        return part.signature is not None
    return not isinstance(part, OpaquePart) or can_say(part, DIALECT, role)


def encode_body(request: CompletionRequest, *, stream: bool) -> dict[str, Any]:
    """Write the body of a request.

    Raises:
        NotSupportedError: Something of it cannot be said here.
    """
    extra = dict(request.extra_for(DIALECT))
    limit = DEFAULT_MAX_TOKENS if request.max_tokens is None else request.max_tokens
    body: dict[str, Any] = {"model": request.model, "max_tokens": limit}
    raw, raw_system = extra.pop("messages", None), extra.pop("system", None)
    if isinstance(raw, list) and decode_messages(raw_system, raw) == request.messages:
        body["messages"] = raw
        system = raw_system
    else:
        body["messages"] = encode_messages(request.messages)
        system = encode_system(request.messages)
    if system is not None:
        body["system"] = system
    if request.temperature is not None:
        body["temperature"] = request.temperature
    if request.top_p is not None:
        body["top_p"] = request.top_p
    if request.stop_sequences:
        body["stop_sequences"] = list(request.stop_sequences)
    write_tools(request, extra, body)
    encode_options(request, extra, body)
    if stream:
        body["stream"] = True
    body.update(extra)
    return body


def decode_messages(system: object, raw: Sequence[Mapping[str, Any]]) -> tuple[ChatMessage, ...]:
    """Read `system` and a conversation that has been checked."""
    found: list[ChatMessage] = []
    if isinstance(system, str):
        found.append(ChatMessage("system", system))
    elif isinstance(system, list):
        found += map(_decode_system, system)
    for message in raw:
        content = message["content"]
        if isinstance(content, str):
            found.append(ChatMessage(message["role"], content))
        elif message["role"] == "assistant":
            found.append(_decode_assistant(content))
        elif message["role"] == "system":
            found.append(ChatMessage("system", tuple(map(decode_part, content))))
        else:
            found += _decode_user(content)
    return tuple(found)


def _decode_system(block: Mapping[str, Any]) -> ChatMessage:
    part = decode_part(block)
    return ChatMessage("system", (part,) if part != TextPart(block["text"]) else block["text"])


def _decode_assistant(content: Sequence[Mapping[str, Any]]) -> ChatMessage:
    found = tuple(map(decode_part, content))
    calls = tuple(part for part in found if isinstance(part, ToolCall) and not part.server)
    parts = tuple(part for part in found if not isinstance(part, ToolCall) or part.server)
    if calls and not parts:
        return ChatMessage("assistant", None, calls)
    if calls and len(parts) == 1 and isinstance(parts[0], TextPart) and parts[0] == TextPart(parts[0].text):
        return ChatMessage("assistant", parts[0].text, calls)
    return ChatMessage("assistant", parts, calls)


def _decode_user(content: Sequence[Mapping[str, Any]]) -> list[ChatMessage]:
    found = [_decode_result(block) for block in content if block.get("type") == "tool_result"]
    rest = tuple(decode_part(block) for block in content if block.get("type") != "tool_result")
    if rest or not found:
        found.append(ChatMessage("user", rest))
    return found


def _decode_result(block: Mapping[str, Any]) -> ChatMessage:
    content = block.get("content")
    return ChatMessage(
        "tool",
        tuple(map(decode_part, content)) if isinstance(content, list) else content or "",
        tool_call_id=block.get("tool_use_id"),
        is_error=block.get("is_error") is True,
    )


def decode_call(
    body: Mapping[str, Any], *, limit_required: bool = True, strict: Mapping[str, str] | None = None
) -> tuple[CompletionRequest | None, Unread | None]:
    """Check the body of a request, and read it, or say how to, where it is as plain as most are.

    Args:
        body: The request, parsed.
        limit_required: Whether `max_tokens` must be there; counting tokens needs no limit.
        strict: The headers that came with it, where Anthropic itself is asked, which refuses more than servers that
            speak like it; None where it is one of those.

    Raises:
        WireFormatError: Anthropic would refuse it; the error has Anthropic's words.
    """
    texts = check(body, limit_required=limit_required)
    if strict is not None:
        check_strictly(body, strict, is_plain=texts is not None)
    system = body.get("system")
    if (
        texts is None
        or isinstance(system, list)
        or body.get("tools") is not None
        or body.get("tool_choice") is not None
    ):
        return _decode_body(body, is_plain=texts is not None), None
    if system is not None:
        texts.append(system)
    return None, Unread(texts, body.get("max_tokens"), partial(_decode_body, body), body.keys() <= _BARE)


def _decode_body(body: Mapping[str, Any], *, is_plain: bool = True) -> CompletionRequest:
    """Read a body that has been checked; `is_plain` says that its messages are roles and texts."""
    raw_messages, system = body["messages"], body.get("system")
    messages = decode_messages(system, raw_messages)
    extra = {key: value for key, value in body.items() if key not in _MODELLED and value is not None}
    if isinstance(system, list) or not is_plain:
        is_plain = encode_messages(messages) == raw_messages and encode_system(messages) == system
    if not is_plain:
        extra["messages"] = raw_messages
        if system is not None:
            extra["system"] = system
    tools, choice, parallel = read_tools(body, extra)
    options = decode_options(body, extra) if extra else {}
    return CompletionRequest(
        messages=messages,
        model=body["model"],
        max_tokens=body.get("max_tokens"),
        temperature=body.get("temperature"),
        top_p=body.get("top_p"),
        stop_sequences=tuple(body.get("stop_sequences") or ()),
        tools=tools,
        tool_choice=choice,
        parallel_tool_calls=parallel,
        stream=body.get("stream") is True,
        extra={DIALECT: extra} if extra else {},
        **options,
    )
