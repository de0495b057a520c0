"""Ollama's conversation, between JSON and messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from llmtest.types import ChatMessage, ContentPart, TextPart, ThinkingPart, ToolCall
from llmtest.wire.ollama.native._parts import OWN_ID, decode_call, decode_image, encode_call, said

__all__ = ["decode_messages", "encode_messages", "parts_of"]


def encode_messages(messages: Sequence[ChatMessage]) -> list[dict[str, Any]]:
    """Write a conversation.

    Raises:
        NotSupportedError: A part of it has no word here.
    """
    names: dict[str, str] = {}
    found = []
    for message in messages:
        names.update((call.id, call.name) for call in message.tool_calls)
        found.append(_encode(message, names))
    return found


def _encode(message: ChatMessage, names: Mapping[str, str]) -> dict[str, Any]:
    content = message.content
    parts: Sequence[ContentPart] = (TextPart(content),) if isinstance(content, str) else content or ()
    found = {"role": message.role, **said(parts, message.role)}
    if message.tool_calls:
        found["tool_calls"] = [encode_call(call, place) for place, call in enumerate(message.tool_calls)]
    if message.role == "tool":
        identity = message.tool_call_id or ""
        name = message.name or names.get(identity)
        if name:
            found["tool_name"] = name
        if identity and not identity.startswith(OWN_ID):
            found["tool_call_id"] = identity
    return found


def decode_messages(raw: Sequence[Mapping[str, Any]]) -> tuple[ChatMessage, ...]:
    """Read a conversation that has been checked."""
    found: list[ChatMessage] = []
    waiting: list[ToolCall] = []
    number = 0
    for message in raw:
        role = message["role"]
        if role == "tool":
            number += 1
            found.append(_decode_result(message, waiting, number))
            continue
        parts = parts_of(message)
        calls = tuple(
            decode_call(call, number + place) for place, call in enumerate(message.get("tool_calls") or (), 1)
        )
        number += len(calls)
        if calls:
            waiting = list(calls)
        first = parts[0] if parts else None
        content = first.text if len(parts) == 1 and type(first) is TextPart else tuple(parts)
        found.append(ChatMessage(role, content or (None if calls else ""), calls))
    return tuple(found)


def parts_of(message: Mapping[str, Any]) -> list[ContentPart]:
    """Read thoughts, text and pictures of a message."""
    parts: list[ContentPart] = []
    thinking, content = message.get("thinking"), message.get("content")
    if isinstance(thinking, str) and thinking:
        parts.append(ThinkingPart(thinking))
    if isinstance(content, str) and content:
        parts.append(TextPart(content))
    parts += (decode_image(image) for image in message.get("images") or () if isinstance(image, str))
    return parts


def _decode_result(message: Mapping[str, Any], waiting: list[ToolCall], number: int) -> ChatMessage:
    """Read what a tool returned; without an id it answers the first call of its name that is still open."""
    name, identity = message.get("tool_name"), message.get("tool_call_id")
    if not isinstance(identity, str) or not identity:
        open_call = next((call for call in waiting if name in (None, "", call.name)), None)
        identity = f"{OWN_ID}{number}" if open_call is None else open_call.id
    known = [call for call in waiting if call.id == identity]
    waiting[:] = [call for call in waiting if call.id != identity]
    own_name = name if isinstance(name, str) and name and not any(call.name == name for call in known) else None
    return ChatMessage("tool", str(message.get("content") or ""), tool_call_id=identity, name=own_name)
