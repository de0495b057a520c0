"""How conversations are made to fit into a window."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from llmtest.events._event import Event

__all__ = [
    "CompressionWay",
    "ContextAssembled",
    "ContextCompressed",
    "ContextSourceFailed",
    "SummaryCause",
    "SummaryFailed",
]

CompressionWay = Literal["summary", "sliding_window", "recovery"]
SummaryCause = Literal["error", "empty", "too_long", "no_room"]


@dataclass(slots=True)
class ContextCompressed(Event):
    """A prompt was made shorter, so that it fits into the window.

    Args:
        way: `summary`: older messages were summed up; `sliding_window`: they were left out; `recovery`: they were left
            out after a provider had refused the prompt as too long.
        messages_before: Messages that there were.
        messages_after: Messages that are sent.
        tokens_before: Estimated tokens of the prompt.
        tokens_after: Estimated tokens of what is sent.
    """

    kind: ClassVar[str] = "compressed"

    way: CompressionWay
    messages_before: int
    messages_after: int
    tokens_before: int
    tokens_after: int


@dataclass(slots=True)
class SummaryFailed(Event):
    """A conversation could not be summed up; the call goes on without a summary.

    Args:
        cause: `error`: who was asked for it failed, or a policy refused; `empty`: there was nothing in it; `too_long`:
            it was as long as what it sums up; `no_room`: what would be summed up does not fit into the window itself.
        error: The error, where it was one.
    """

    kind: ClassVar[str] = "summary_failed"

    cause: SummaryCause
    error: Exception | None = None


@dataclass(slots=True)
class ContextAssembled(Event):
    """Context was put into a request.

    Args:
        provider: Who will be asked; None where it is not known.
        tokens: Estimated tokens of the prompt.
        max_tokens: Most tokens that it may have.
        kept: How many items of each source go along.
        left: How many do not, by cause: `irrelevant`, `surplus`, `alike`, `no_room`.
        turns_left: Earlier turns of the conversation that do not go along.
    """

    kind: ClassVar[str] = "assembled"

    provider: str | None
    tokens: int
    max_tokens: int
    kept: tuple[tuple[str, int], ...] = ()
    left: tuple[tuple[str, int], ...] = ()
    turns_left: int = 0


@dataclass(slots=True)
class ContextSourceFailed(Event):
    """A source of context has failed; the request goes without it.

    Args:
        source: Its name; `embedder` for what makes vectors.
        error: How it failed.
    """

    kind: ClassVar[str] = "source_failed"

    source: str
    error: Exception
