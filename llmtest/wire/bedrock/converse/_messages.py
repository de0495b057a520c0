"""The conversation, between JSON and messages, and what Amazon checks of it before a model sees it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from llmtest.errors import InvalidRequestError
from llmtest.types import ChatMessage, ContentPart, TextPart, ToolCall
from llmtest.wire._json import dumps_text
from llmtest.wire._records import WireFormatError
from llmtest.wire.bedrock.converse._blocks import decode_blocks, encode_blocks, encode_call

__all__ = ["check_messages", "decode_messages", "encode_messages", "refuse"]


def refuse(message: str) -> WireFormatError:
    """Make Amazon's refusal of a request."""
    return WireFormatError(InvalidRequestError(message, status=400, code="ValidationException"))


def encode_messages(messages: Sequence[ChatMessage]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Write a conversation: the system prompts, and the turns. Results of tools are the user's, in one turn.

    Raises:
        NotSupportedError: A part of it has no word here.
    """
    system: list[dict[str, Any]] = []
    turns: list[dict[str, Any]] = []
    for message in messages:
        if message.role == "system":
            system += _content(message)
            continue
        role = "assistant" if message.role == "assistant" else "user"
        content = [_result(message)] if message.role == "tool" else _content(message)
        content += [encode_call(call) for call in message.tool_calls]
        if role == "user" and turns and "toolResult" in turns[-1]["content"][-1]:
            turns[-1]["content"] += content
        else:
            turns.append({"role": role, "content": content})
    return system, turns


def _content(message: ChatMessage) -> list[dict[str, Any]]:
    content = message.content
    return [{"text": content}] if isinstance(content, str) else encode_blocks(content or ())


def _result(message: ChatMessage) -> dict[str, Any]:
    status = {"status": "error"} if message.is_error else {}
    return {"toolResult": {"toolUseId": message.tool_call_id or "", "content": _content(message), **status}}


def decode_messages(system: Sequence[Any], turns: Sequence[Mapping[str, Any]]) -> tuple[ChatMessage, ...]:
    """Read a conversation that has been checked."""
    found = [ChatMessage("system", _said((part,))) for part in decode_blocks(system)]
    for turn in turns:
        blocks = turn["content"]
        found += [_decode_result(block["toolResult"]) for block in blocks if "toolResult" in block]
        parts = decode_blocks([block for block in blocks if "toolResult" not in block])
        if not parts:
            continue
        calls = tuple(part for part in parts if isinstance(part, ToolCall) and not part.server)
        rest = tuple(part for part in parts if part not in calls)
        found.append(ChatMessage(turn["role"], _said(rest), tool_calls=calls))
    return tuple(found)


def _said(parts: tuple[ContentPart, ...]) -> str | tuple[ContentPart, ...] | None:
    """Return content as a plain text where it is one."""
    if len(parts) == 1 and isinstance(parts[0], TextPart) and parts[0].cache_ttl is None:
        return parts[0].text
    return parts or None


def _decode_result(result: Mapping[str, Any]) -> ChatMessage:
    content = result.get("content")
    blocks = [
        {"text": dumps_text(block["json"])} if isinstance(block, dict) and "json" in block else block
        for block in (content if isinstance(content, list) else ())
    ]
    said = _said(decode_blocks(blocks))
    identity = result.get("toolUseId")
    return ChatMessage(
        "tool", "" if said is None else said, tool_call_id=identity, is_error=result.get("status") == "error"
    )


def check_messages(turns: Any, *, has_tools: bool) -> None:
    """Check a conversation as Amazon does.

    Raises:
        WireFormatError: It would refuse it.
    """
    if not isinstance(turns, list) or not turns or not all(map(_is_turn, turns)):
        raise refuse("The value at messages must be a list of messages with a role and content.")
    roles = [turn["role"] for turn in turns]
    if roles[0] != "user":
        raise refuse(
            "A conversation must start with a user message. Try again with a conversation that starts with a user "
            "message."
        )
    if any(one == other for one, other in pairwise(roles)):
        raise refuse(
            "A conversation must alternate between user and assistant roles. Make sure the conversation alternates "
            "between user and assistant roles and try again."
        )
    for place, turn in enumerate(turns):
        for number, block in enumerate(turn["content"]):
            if isinstance(block.get("text"), str) and not block["text"].strip():
                raise refuse(
                    f"The text field in the ContentBlock object at messages.{place}.content.{number} is blank. Add "
                    "text to the text field, and try again."
                )
            if not has_tools and ("toolUse" in block or "toolResult" in block):
                raise refuse("The toolConfig field must be defined when using toolUse and toolResult content blocks.")
    _check_results(turns)


def _check_results(turns: Sequence[Mapping[str, Any]]) -> None:
    """Check that every call has its result in the next turn."""
    for place, (turn, following) in enumerate(pairwise(turns)):
        called = [
            block["toolUse"].get("toolUseId") for block in turn["content"] if isinstance(block.get("toolUse"), dict)
        ]
        told = [block["toolResult"].get("toolUseId") for block in following["content"] if "toolResult" in block]
        missing = [str(each) for each in called if each not in told]
        if missing:
            at, ids = f"messages.{place + 1}.content", ", ".join(missing)
            raise refuse(f"Expected toolResult blocks at {at} for the following Ids: {ids}")


def _is_turn(turn: object) -> bool:
    if not isinstance(turn, dict) or turn.get("role") not in {"user", "assistant"}:
        return False
    content = turn.get("content")
    return isinstance(content, list) and bool(content) and all(isinstance(block, dict) for block in content)
