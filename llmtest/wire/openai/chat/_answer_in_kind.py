"""An answer, as the request wants it: with log probabilities, by the tier it named, in the form of 2023."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from llmtest.types import CompletionResponse, FinishReason, ToolCall
from llmtest.wire._logprobs import with_logprobs
from llmtest.wire.openai._shared_words import TIERS

_CALLS = (FinishReason.TOOL_USE, FinishReason.STOP)
"""Why an answer ends that calls a function; `stop`, where the request named it."""


def in_kind(response: CompletionResponse, wanted: Mapping[str, Any]) -> CompletionResponse:
    """Return a response as a request wants it.

    Args:
        response: What is answered.
        wanted: What `shaping` found in the request.
    """
    changes: dict[str, Any] = {}
    if wanted.get("logprobs") is True:
        top = wanted.get("top_logprobs")
        response = with_logprobs(response, top if isinstance(top, int) else 0)
    tier = wanted.get("service_tier")
    if isinstance(tier, str) and response.service_tier is None:
        changes["service_tier"] = TIERS.get(tier, tier)
    parts = response.parts
    first = next((part for part in parts if isinstance(part, ToolCall)), None) if "functions" in wanted else None
    if first is not None and response.finish_reason in _CALLS and not response.raw_finish_reason:
        # One function at a time was all there was.
        changes["parts"] = tuple(part for part in parts if part is first or not isinstance(part, ToolCall))
        changes["raw_finish_reason"] = "function_call"
    if response.alternatives:
        changes["alternatives"] = tuple(in_kind(other, wanted) for other in response.alternatives)
    return replace(response, **changes)
