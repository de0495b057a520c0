"""What two requests have in common: whether one asks again what the other has asked."""

from __future__ import annotations

from collections import Counter

from llmtest.conduct._evidence import RequestEvidence
from llmtest.conduct._witness import Witness
from llmtest.types import ChatMessage, CompletionRequest

__all__ = ["Said", "asks_the_same", "completion_of", "messages_of", "said"]

Said = tuple[str, str, tuple[str, ...], str | None]
"""A message: its role, its text, the tool calls in it, and the tool call that it answers."""


def completion_of(witness: Witness, request: RequestEvidence) -> CompletionRequest | None:
    """Return what was asked for; None where that is no conversation, or nothing was kept of it."""
    record = witness.record(request.exchange)
    asked = None if record is None else record.request
    return asked if isinstance(asked, CompletionRequest) else None


def messages_of(witness: Witness, request: RequestEvidence) -> tuple[ChatMessage, ...]:
    """Return the messages of a request; none where they are not known."""
    asked = completion_of(witness, request)
    return () if asked is None else asked.messages


def said(message: ChatMessage) -> Said:
    """Return what a message says, in a form that can be compared and counted."""
    return message.role, message.text.strip(), tuple(call.id for call in message.tool_calls), message.tool_call_id


def asks_the_same(witness: Witness, first: RequestEvidence, second: RequestEvidence) -> bool:
    """Tell whether two requests hold the same conversation, whatever the API; instructions are not compared."""
    one, other = (
        Counter((role, text) for role, text, _, _ in map(said, messages_of(witness, request)) if role != "system")
        for request in (first, second)
    )
    return bool(one) and one == other
