"""Which messages of a conversation may go, so that what is left is still one. Pure.

What must not be parted is a block: an answer with its tool calls, and the results of these. Blocks go from the oldest
on. What never goes: system prompts, and from the last message of the user on whatever the current turn has said.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from llmtest.costs import estimate_request_tokens
from llmtest.types import ChatMessage, CompletionRequest, ToolCall

__all__ = ["Cut", "block_sizes", "cut_before_recent", "latest", "tokens_of", "within"]

Messages = Sequence[ChatMessage]


def tokens_of(request: CompletionRequest, messages: Messages) -> int:
    """Return the estimated tokens of a request with other messages."""
    return estimate_request_tokens(replace(request, messages=tuple(messages)))


def block_sizes(messages: Messages) -> list[int]:
    """Return how many messages each block has, in their order."""
    sizes: list[int] = []
    has_calls = False
    for message in messages:
        if message.role == "tool" and sizes and has_calls:
            sizes[-1] += 1
            continue
        sizes.append(1)
        has_calls = message.role == "assistant" and _calls(message)
    return sizes


def _calls(message: ChatMessage) -> bool:
    parts = message.content if isinstance(message.content, tuple) else ()
    return bool(message.tool_calls) or any(isinstance(part, ToolCall) and not part.server for part in parts)


@dataclass(frozen=True, slots=True)
class Cut:
    """A conversation in two: what may go, and what stays.

    Args:
        system: The system prompts.
        old: Messages that may go, whole blocks.
        kept: Messages that stay behind them.
    """

    system: tuple[ChatMessage, ...]
    old: tuple[ChatMessage, ...]
    kept: tuple[ChatMessage, ...]


def cut_before_recent(messages: Messages, keep: int) -> Cut:
    """Cut a conversation before its latest messages.

    Args:
        messages: All of it.
        keep: How many messages stay at least; the last message of the user, and what follows it, stay anyhow.
    """
    system = tuple(message for message in messages if message.role == "system")
    body = [message for message in messages if message.role != "system"]
    start = min(_last_turn(body), max(0, len(body) - keep))
    place = 0
    for size in block_sizes(body):
        if place + size > start:
            break
        place += size
    return Cut(system, tuple(body[:place]), tuple(body[place:]))


def _last_turn(body: Messages) -> int:
    """Return where the last message of the user is; the last block where there is none."""
    for place in range(len(body) - 1, -1, -1):
        if body[place].role == "user":
            return place
    return len(body) - (block_sizes(body) or [0])[-1]


def within(request: CompletionRequest, limit: int, keep: int = 0) -> CompletionRequest:
    """Return a request whose oldest messages are left out until its prompt fits; the same one where it fits already.

    The latest `keep` messages go only when all others have gone, and the current turn never does: what is returned may
    be longer than the limit where that alone is. A conversation goes on with a message of the user, as every API wants
    it, so that an answer without its question goes as well.

    Args:
        request: The request.
        limit: Most tokens of its prompt, as they are estimated.
        keep: How many of the latest messages stay as long as there are others.
    """
    if tokens_of(request, request.messages) <= limit:
        return request
    for kept in (keep, 0):
        cut = cut_before_recent(request.messages, kept)
        left = list(cut.old)
        while left:
            size = block_sizes(left)[0]
            del left[:size]
            while left and left[0].role != "user":
                del left[: block_sizes(left)[0]]
            if not left:
                break
            messages = (*cut.system, *left, *cut.kept)
            if tokens_of(request, messages) <= limit:
                return replace(request, messages=messages)
        shortest = (*cut.system, *_from_a_user(cut.kept))
        if tokens_of(request, shortest) <= limit:
            break
    return request if shortest == tuple(request.messages) else replace(request, messages=shortest)


def latest(request: CompletionRequest, most: int) -> CompletionRequest:
    """Return a request with its latest messages alone, by their number; the same one where it has no more.

    System prompts are not counted and stay, so does the current turn, and no block is parted: what goes besides is what
    came before a message of the user.

    Args:
        request: The request.
        most: How many messages stay at most.
    """
    body = [message for message in request.messages if message.role != "system"]
    if len(body) <= most:
        return request
    turn = _last_turn(body)
    place = 0
    for size in block_sizes(body):
        if place >= turn or (len(body) - place <= most and body[place].role == "user"):
            break
        place += size
    system = (message for message in request.messages if message.role == "system")
    return replace(request, messages=(*system, *body[min(place, turn) :])) if place else request


def _from_a_user(kept: tuple[ChatMessage, ...]) -> tuple[ChatMessage, ...]:
    """Return what stays, from its first message of the user on, where there is one."""
    first = next((place for place, message in enumerate(kept) if message.role == "user"), 0)
    return kept[first:]
