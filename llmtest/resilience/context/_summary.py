"""A summary of what a conversation has said so far: what is asked for it, and how it stands in its place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from llmtest.costs import estimate_request_tokens
from llmtest.resilience.context._compression import block_sizes
from llmtest.types import ChatMessage, CompletionRequest

__all__ = ["SUMMARY_MARK", "as_message", "request_for"]

SUMMARY_MARK = "[Summary of the conversation so far]\n"
"""How a summary begins. It is the user's message: every API takes one as the first of a conversation."""

INSTRUCTION = (
    "Sum up the conversation below for the one who goes on with it. Keep facts, names, numbers, decisions and open "
    "questions, and what tools have returned; leave out courtesies. Answer with the summary alone."
)


def as_message(text: str) -> ChatMessage:
    """Return a summary as a message of the conversation."""
    return ChatMessage.user(SUMMARY_MARK + text.strip())


def request_for(
    request: CompletionRequest, old: Sequence[ChatMessage], *, max_tokens: int, model: str | None, room: int
) -> CompletionRequest | None:
    """Return what asks for the summary of a conversation's older part; None where not even its end fits.

    Args:
        request: The request that is to become shorter.
        old: What is summed up.
        max_tokens: Most tokens of the summary.
        model: Who sums up; None: who is asked.
        room: Tokens of the window. Of what does not fit into it the oldest is not read.
    """
    left = list(old)
    while left:
        told = "\n\n".join(map(_told, left))
        asked = replace(
            CompletionRequest.ask(told, system=INSTRUCTION),
            model=model or request.model,
            max_tokens=max_tokens,
            metadata=request.metadata,
        )
        if estimate_request_tokens(asked) + max_tokens <= room:
            return asked
        del left[: block_sizes(left)[0]]
    return None


def _told(message: ChatMessage) -> str:
    """Return a message as a reader sees it."""
    calls = "".join(f"\n(calls {call.name} with {call.arguments})" for call in message.tool_calls)
    return f"{message.role}: {message.text}{calls}"
