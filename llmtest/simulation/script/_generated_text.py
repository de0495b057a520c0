"""Filler for faults that need something to break, and what a prompt says last."""

from __future__ import annotations

from llmtest.types import CompletionRequest

__all__ = ["filler", "last_user_text"]

FILLER = ("This", "is", "filler", "text", "of", "a", "simulated", "answer")


def last_user_text(request: CompletionRequest) -> str:
    """Return the text of the last user message, or of the last message of any kind."""
    for message in reversed(request.messages):
        if message.role == "user":
            return message.text
    return request.messages[-1].text


def filler(pieces: int) -> str:
    """Return a text of at least so many words."""
    return " ".join(FILLER[index % len(FILLER)] for index in range(max(pieces, len(FILLER))))
