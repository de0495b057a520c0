"""The pieces of a streamed answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from llmtest.types._quick_init import quick_init
from llmtest.types._responses import CompletionResponse, FinishReason
from llmtest.types._usage import Usage

__all__ = ["StreamEvent", "StreamEventKind"]


StreamEventKind = Literal[
    "start",
    "text",
    "thinking",
    "signature",
    "refusal",
    "tool_call",
    "tool_arguments",
    "opaque",
    "usage",
    "finish",
    "end",
]


@quick_init
@dataclass(frozen=True, slots=True)
class StreamEvent:
    """One piece of a streamed answer.

    | kind | carries |
    |---|---|
    | `start` | `id`, `model`; nothing is visible yet |
    | `text`, `thinking`, `refusal`, `signature` | `text`: what to append to part `index` |
    | `tool_call` | `index`, `id`, `name`: a tool call begins |
    | `tool_arguments` | `index`, `text`: JSON text to append to its arguments |
    | `opaque` | `data`: an event this package does not model, verbatim |
    | `usage` | `usage`: cumulative so far |
    | `finish` | `finish_reason`, `raw_finish_reason` |
    | `end` | `response`: the whole answer; the stream ended as it should |
    """

    kind: StreamEventKind
    text: str = ""
    index: int = 0
    id: str | None = None
    name: str | None = None
    model: str | None = None
    usage: Usage | None = None
    finish_reason: FinishReason | None = None
    raw_finish_reason: str | None = None
    data: Mapping[str, Any] | None = None
    response: CompletionResponse | None = None

    @property
    def visible(self) -> bool:
        """Whether the caller has something of the answer after this event (the commit point of a stream)."""
        return self.kind in _VISIBLE


_VISIBLE = frozenset({"text", "thinking", "refusal", "tool_call", "tool_arguments"})
