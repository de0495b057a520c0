"""What a request asks of its answer beside the words: how long, until which words, how much thought, in which tier.

An answer is cut as a provider cuts it: what is left is what is sent, and what is sent is what is billed, to the token.
A `Reply` that says its own usage or finish reason is played as it is written.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from llmtest.costs import count_tokens
from llmtest.simulation.script._reply import TOOL_CALL_TOKENS, Prepared
from llmtest.types import CompletionRequest, FinishReason, ResponsePart, TextPart, ThinkingPart, ToolCall

__all__ = ["PLAIN", "Options", "fitted", "options_of"]

CHARACTERS = 4
"""Characters of a token, as `count_tokens` counts."""

EFFORTS: Mapping[str, int] = {
    "none": 0,
    "minimal": 16,
    "low": 64,
    "medium": 256,
    "high": 1024,
    "xhigh": 2048,
    "max": 4096,
}
"""Tokens that are thought for each word of `reasoning_effort`."""

REASONING_MODELS = re.compile(
    r"(?:[\w.-]+/)*(?:o\d|gpt-(?:[5-9]|oss)(?!.*chat)|codex|.*(?:reason|think|-r1|qwq|qwen3))"
)
"""Models that think without showing it; others are not billed for any effort."""

TOOL_CHOICES = frozenset({"auto", "required", "none"})
"""What `tool_choice` may be beside the name of a tool."""

NO_SETTINGS: Mapping[str, Any] = {}
STANDARD_TIERS = frozenset({"auto", "default", "standard", "standard_only"})


class Options(NamedTuple):
    """What a request asks of its answer, as far as it is not what every request asks.

    Args:
        stop: Texts that end it.
        thought: Tokens that are thought before it, and not shown.
        tier: Service tier that is asked for; None: the standard one.
        metadata: The caller's own labels.
        marks: Whether parts of the prompt are marked for the provider's cache.
        choices: How many answers are wanted.
        likeliest: How many likeliest words to tell of at each place, where log probabilities are wanted.
        names_tool: Whether one tool is named that has to be called.
    """

    stop: tuple[str, ...] = ()
    thought: int = 0
    tier: str | None = None
    metadata: Mapping[str, str] = {}
    marks: bool = False
    choices: int = 1
    likeliest: int | None = None
    names_tool: bool = False


PLAIN = Options()


def options_of(request: CompletionRequest, model: str | None, settings: Mapping[str, Any] = NO_SETTINGS) -> Options:
    """Return what a request asks of its answer; `PLAIN` where it asks nothing special.

    Args:
        request: The request.
        model: The model that answers.
        settings: Those of its dialect, which may name more models that think (`thinking_models`).
    """
    if not (
        request.stop_sequences
        or request.reasoning_effort
        or request.service_tier
        or request.metadata
        or request.n
        or request.logprobs
        or request.tool_choice
        or request.tools
        or request.extra
        or _has_parts(request)
    ):
        return PLAIN  # without a closer look, as most requests
    return _special_options(request, model, settings)


def _special_options(request: CompletionRequest, model: str | None, settings: Mapping[str, Any]) -> Options:
    """Return what a request asks that may ask something special."""
    effort, tier, choices = request.reasoning_effort, request.service_tier, request.n or 1
    told, tool, marks = request.logprobs, request.tool_choice, _has_marks(request)
    if not (request.stop_sequences or effort or tier or request.metadata or choices > 1 or told or tool or marks):
        return PLAIN
    thought = 0
    if effort and settings.get("thinking_models", REASONING_MODELS).match((model or "").lower()):
        thought = EFFORTS.get(effort, EFFORTS["medium"])
    return Options(
        request.stop_sequences,
        thought,
        None if tier in STANDARD_TIERS else tier,
        request.metadata,
        marks,
        choices,
        (request.top_logprobs or 0) if told else None,
        tool is not None and tool not in TOOL_CHOICES,
    )


def _has_parts(request: CompletionRequest) -> bool:
    """Tell whether any message is more than a text."""
    for message in request.messages:  # noqa: SIM110 - `any` costs more than all the rest
        if message.content.__class__ is tuple:
            return True
    return False


def _has_marks(request: CompletionRequest) -> bool:
    """Tell whether anything of a prompt is marked for the provider's cache."""
    for message in request.messages:
        content = message.content
        if content.__class__ is tuple and any(getattr(part, "cache_ttl", None) for part in content or ()):
            return True
    return any(tool.cache_ttl for tool in request.tools) or any(
        "cache_control" in fields for fields in request.extra.values()
    )


def fitted(prepared: Prepared, most: int | None, stop: tuple[str, ...]) -> Prepared:
    """Return an answer as far as a request lets it come.

    Args:
        prepared: The whole answer.
        most: Most tokens it may have; None: no limit.
        stop: Texts that end it.
    """
    if prepared.is_final or ((most is None or prepared.output_tokens <= most) and not stop):
        return prepared
    key = (most, stop)
    known = prepared.fitted
    if known is None or known[0] != key:
        known = prepared.fitted = (key, _fit(prepared, most, stop))
    return known[1]


def _fit(prepared: Prepared, most: int | None, stop: tuple[str, ...]) -> Prepared:
    left = prepared.output_tokens if most is None else most
    parts: list[ResponsePart] = []
    reasoning = 0
    ended: FinishReason | None = None
    word: str | None = None
    for part in prepared.parts:
        kept: ResponsePart = part
        if isinstance(part, TextPart) and stop:
            kept, word = _stopped(part, stop)
        size = _size(kept)
        if size > left:
            cut = _cut(kept, left)
            ended, word = FinishReason.LENGTH, None
            if cut is None:
                break
            kept, size = cut, left
        parts.append(kept)
        left -= size
        reasoning += size if isinstance(kept, ThinkingPart) else 0
        if word is not None:
            ended = FinishReason.STOP
        if ended is not None:
            break
    if ended is None:
        return prepared
    spent = (prepared.output_tokens if most is None else most) - left
    return replace(
        prepared,
        parts=tuple(parts),
        output_tokens=spent,
        reasoning_tokens=reasoning,
        finish_reason=ended,
        stop_sequence=word,
        chunks=_cut_chunks(prepared.chunks, parts),
        said=None,
        fitted=None,
    )


def _size(part: ResponsePart) -> int:
    """Return the tokens of a part, as a whole answer counts them."""
    if isinstance(part, ToolCall):
        return TOOL_CALL_TOKENS + count_tokens(part.name) + count_tokens(part.arguments)
    return count_tokens(part.text or "") if isinstance(part, TextPart | ThinkingPart) else 0


def _stopped(part: TextPart, stop: tuple[str, ...]) -> tuple[TextPart, str | None]:
    """Return a text up to the first of some words, and the word it ended with; None where none of them is in it."""
    found = [(place, -len(word), word) for word in stop if word and (place := part.text.find(word)) >= 0]
    if not found:
        return part, None
    place, _, word = min(found)
    return replace(part, text=part.text[:place]), word


def _cut(part: ResponsePart, tokens: int) -> ResponsePart | None:
    """Return as much of a part as some tokens hold; None where that is nothing of it."""
    if isinstance(part, ToolCall):
        rest = tokens - TOOL_CALL_TOKENS - count_tokens(part.name)
        return replace(part, arguments=part.arguments[: rest * CHARACTERS]) if rest > 0 else None
    if tokens and isinstance(part, TextPart | ThinkingPart):
        return replace(part, text=part.text[: tokens * CHARACTERS])
    return None


def _cut_chunks(chunks: tuple[str, ...] | None, parts: list[ResponsePart]) -> tuple[str, ...] | None:
    """Return the pieces of a text as far as they are left of it."""
    if chunks is None:
        return None
    left = sum(len(part.text) for part in parts if isinstance(part, TextPart))
    found = []
    for chunk in chunks:
        if not left:
            break
        found.append(chunk[:left])
        left -= len(found[-1])
    return tuple(found)
