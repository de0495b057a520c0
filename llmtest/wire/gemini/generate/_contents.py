"""Gemini's conversation: `contents` and `systemInstruction`, between JSON and messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from llmtest.types import ChatMessage, ContentPart, TextPart, ToolCall
from llmtest.wire.gemini.generate._parts import (
    OWN_ID,
    decode_part,
    encode_call,
    encode_parts,
    result_of,
    text_of,
)

__all__ = ["decode_contents", "encode_contents"]


def encode_contents(messages: Sequence[ChatMessage]) -> tuple[dict[str, Any] | None, list[dict[str, Any]]]:
    """Write a conversation: the instruction, and the turns.

    Raises:
        NotSupportedError: A part of it has no word here.
    """
    instruction = [{"text": message.text} for message in messages if message.role == "system"]
    turns: list[dict[str, Any]] = []
    names: dict[str, str] = {}
    for message in messages:
        names.update((call.id, call.name) for call in message.tool_calls)
        if message.role == "tool":
            part = _result(message, names)
            if turns and turns[-1]["role"] == "user" and "functionResponse" in turns[-1]["parts"][-1]:
                turns[-1]["parts"].append(part)
            else:
                turns.append({"role": "user", "parts": [part]})
        elif message.role != "system":
            turns.append({"role": "model" if message.role == "assistant" else "user", "parts": _parts(message)})
    return ({"parts": instruction} if instruction else None), turns


def _parts(message: ChatMessage) -> list[Mapping[str, Any]]:
    content = message.content
    said = [{"text": content}] if isinstance(content, str) else [*encode_parts(content or (), message.role)]
    return [*said, *map(encode_call, message.tool_calls)]


def _result(message: ChatMessage, names: Mapping[str, str]) -> dict[str, Any]:
    identity = message.tool_call_id or ""
    found: dict[str, Any] = {} if identity.startswith(OWN_ID) or not identity else {"id": identity}
    found["name"] = message.name or names.get(identity) or identity
    found["response"] = result_of(message.text, is_error=message.is_error)
    return {"functionResponse": found}


def decode_contents(raw: Sequence[Mapping[str, Any]], instruction: object = None) -> tuple[ChatMessage, ...]:
    """Read a conversation that has been checked."""
    found: list[ChatMessage] = []
    if isinstance(instruction, dict):
        texts = [part["text"] for part in instruction.get("parts") or () if isinstance(part.get("text"), str)]
        found.append(ChatMessage.system("\n".join(texts)))
    number = 0
    waiting: list[ToolCall] = []
    for turn in raw:
        parts: list[ContentPart] = []
        calls: list[ToolCall] = []
        for part in turn.get("parts") or ():
            number += 1
            answered = part.get("functionResponse")
            if isinstance(answered, dict):
                found.append(_decode_result(answered, waiting, number))
                continue
            read = decode_part(part, number)
            (calls if isinstance(read, ToolCall) else parts).append(read)  # type: ignore[arg-type]  # each in its list
        if calls:
            waiting = list(calls)
        if parts or calls:
            role = "assistant" if turn.get("role") == "model" else "user"
            found.append(ChatMessage(role, _content(parts), tuple(calls)))  # type: ignore[arg-type]  # one of two roles
    return tuple(found)


def _content(parts: list[ContentPart]) -> str | tuple[ContentPart, ...] | None:
    if not parts:
        return None
    first = parts[0]
    return first.text if len(parts) == 1 and type(first) is TextPart else tuple(parts)


def _decode_result(answered: Mapping[str, Any], waiting: list[ToolCall], number: int) -> ChatMessage:
    """Read what a function returned; without an id it answers the first call of its name that is still open."""
    name = answered.get("name")
    identity = answered.get("id")
    if not isinstance(identity, str) or not identity:
        open_call = next((call for call in waiting if call.name == name), None)
        identity = f"{OWN_ID}{number}" if open_call is None else open_call.id
        if open_call is not None:
            waiting.remove(open_call)
    text, failed = text_of(answered.get("response"))
    known = any(call.id == identity for call in waiting)
    return ChatMessage("tool", text, tool_call_id=identity, name=None if known else _named(name), is_error=failed)


def _named(name: object) -> str | None:
    return None if name is None else str(name)
