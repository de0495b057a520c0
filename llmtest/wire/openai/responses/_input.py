"""The conversation of a request: `instructions` and `input`, between items and messages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from llmtest.types import ChatMessage, ContentPart, OpaquePart, RefusalPart, TextPart, ThinkingPart, ToolCall
from llmtest.wire._foreign import can_say
from llmtest.wire.openai._checks import RENAMED_ROLES
from llmtest.wire.openai.responses._items import (
    DIALECT,
    decode_call,
    decode_content,
    decode_reasoning,
    encode_call,
    encode_content,
    encode_reasoning,
)

__all__ = ["decode_input", "encode_input"]


class _Reader:
    """Puts items together into messages: what a model said in one turn is several items, and one message."""

    def __init__(self) -> None:
        self.found: list[ChatMessage] = []
        self._parts: list[ContentPart] = []
        self._calls: list[ToolCall] = []

    def say(self, *parts: ContentPart) -> None:
        """Add to what the model said in this turn."""
        self._parts += parts

    def call(self, call: ToolCall) -> None:
        """Add a call of the model."""
        self._calls.append(call)

    def end_turn(self) -> None:
        """Close what the model said."""
        if not (self._parts or self._calls):
            return
        parts = tuple(self._parts)
        content: Any = parts or None
        if len(parts) == 1 and type(parts[0]) is TextPart and not parts[0].citations:
            content = parts[0].text
        self.found.append(ChatMessage("assistant", content, tuple(self._calls)))
        self._parts, self._calls = [], []

    def add(self, message: ChatMessage) -> None:
        """Add a message of somebody else."""
        self.end_turn()
        self.found.append(message)


def decode_input(raw: object, instructions: object = None) -> tuple[ChatMessage, ...]:
    """Read a conversation that has been checked.

    Args:
        raw: What `input` holds: a text, or items.
        instructions: What stands before it.
    """
    reader = _Reader()
    if isinstance(instructions, str) and instructions:
        reader.add(ChatMessage.system(instructions))
    if isinstance(raw, str):
        reader.add(ChatMessage.user(raw))
    for item in raw if isinstance(raw, list) else ():
        if isinstance(item, dict):
            _read(item, reader)
    reader.end_turn()
    return tuple(reader.found)


def _read(item: Mapping[str, Any], reader: _Reader) -> None:
    kind = item.get("type") or "message"
    content = item.get("content")
    if kind == "message" and item.get("role") == "assistant":
        reader.say(*((TextPart(content),) if isinstance(content, str) else decode_content(content)))
    elif kind == "message" and isinstance(item.get("role"), str):
        role = RENAMED_ROLES.get(item["role"], item["role"])
        reader.add(ChatMessage(role, content if isinstance(content, str) else decode_content(content)))
    elif kind == "function_call":
        reader.call(decode_call(item))
    elif kind == "reasoning":
        reader.say(decode_reasoning(item))
    elif kind == "function_call_output":
        output = item.get("output")
        told = output if isinstance(output, str) else decode_content(output)
        reader.add(ChatMessage("tool", told, tool_call_id=str(item.get("call_id") or "")))
    elif isinstance(item.get("call_id"), str) and str(kind).endswith("_output"):
        reader.add(ChatMessage("tool", (OpaquePart(item, DIALECT),), tool_call_id=item["call_id"]))
    else:
        reader.say(OpaquePart(item, DIALECT))


def encode_input(messages: Sequence[ChatMessage]) -> tuple[str | None, list[Mapping[str, Any]]]:
    """Write a conversation: the instructions that it begins with, and the items that follow.

    Raises:
        NotSupportedError: A part of it cannot be said here.
    """
    instructions = None
    if len(messages) > 1 and messages[0].role == "system":
        instructions = messages[0].text
        messages = messages[1:]
    return instructions, [item for message in messages for item in _items(message)]


def _items(message: ChatMessage) -> Iterable[Mapping[str, Any]]:
    content = message.content
    if message.role == "assistant":
        yield from _said(content)
        for call in message.tool_calls:
            yield encode_call(call)
    elif message.role == "tool":
        own = content[0] if isinstance(content, tuple) and len(content) == 1 else None
        if isinstance(own, OpaquePart) and own.dialect == DIALECT:
            yield own.data
            return
        told = (content or "") if not isinstance(content, tuple) else encode_content(_sayable(content, message))
        yield {"type": "function_call_output", "call_id": message.tool_call_id, "output": told}
    else:
        told = (content or "") if not isinstance(content, tuple) else encode_content(_sayable(content, message))
        yield {"role": message.role, "content": told}


def _sayable(content: Sequence[ContentPart], message: ChatMessage) -> list[ContentPart]:
    return [part for part in content if not isinstance(part, OpaquePart) or can_say(part, DIALECT, message.role)]


def _said(content: str | tuple[ContentPart, ...] | None) -> Iterable[Mapping[str, Any]]:
    """Write what the model said: its words as messages, and its thoughts where they are OpenAI's own, by their id."""
    if not isinstance(content, tuple):
        if content:
            yield {"role": "assistant", "content": content}
        return
    words: list[dict[str, Any]] = []
    for part in content:
        if isinstance(part, TextPart):
            words.append({"type": "output_text", "text": part.text, "annotations": []})
            continue
        if isinstance(part, RefusalPart):
            words.append({"type": "refusal", "refusal": part.text})
            continue
        if words:
            yield {"type": "message", "role": "assistant", "content": words}
            words = []
        if isinstance(part, ThinkingPart) and part.id is not None:
            yield encode_reasoning(part, None)
        elif isinstance(part, OpaquePart) and can_say(part, DIALECT, "assistant"):
            yield part.data
        elif isinstance(part, ToolCall) and not part.server:
            yield encode_call(part)
    if words:
        yield {"type": "message", "role": "assistant", "content": words}
