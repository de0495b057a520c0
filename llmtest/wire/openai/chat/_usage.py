"""How many tokens a chat completion took, and what it cost where that is said, between JSON and types."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from llmtest.types import UNKNOWN_USAGE, Usage
from llmtest.wire._json import count, is_counted


def encode_usage(usage: Usage) -> dict[str, Any]:
    """Write usage with all details OpenAI always sends."""
    prompt = {"cached_tokens": usage.cache_read_tokens, "audio_tokens": usage.input_audio_tokens}
    if usage.cache_write_tokens:
        prompt["cache_write_tokens"] = usage.cache_write_tokens
    found: dict[str, Any] = {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "prompt_tokens_details": prompt,
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning_tokens,
            "audio_tokens": usage.output_audio_tokens,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }
    if usage.cost_usd is not None:
        found["cost"] = float(usage.cost_usd)
    return found


def decode_usage(raw: object) -> Usage:
    """Read usage; a missing count is zero. Without any count, or with an impossible one, usage is unknown."""
    if not isinstance(raw, dict) or not is_counted(raw.get("prompt_tokens"), raw.get("completion_tokens")):
        return UNKNOWN_USAGE
    prompt = raw.get("prompt_tokens_details")
    completion = raw.get("completion_tokens_details")
    prompt = prompt if isinstance(prompt, dict) else {}
    completion = completion if isinstance(completion, dict) else {}
    asked, said = count(raw.get("prompt_tokens")), count(raw.get("completion_tokens"))
    thought = count(completion.get("reasoning_tokens"))
    if thought and count(raw.get("total_tokens")) == asked + said + thought:
        said += thought  # xAI counts thoughts beside the answer, where OpenAI counts them in it.
    return Usage(
        asked,
        said,
        count(prompt.get("cached_tokens")) or count(raw.get("prompt_cache_hit_tokens")),
        count(prompt.get("cache_write_tokens")),
        thought,
        input_audio_tokens=count(prompt.get("audio_tokens")),
        output_audio_tokens=count(completion.get("audio_tokens")),
        cost_usd=_cost(raw.get("cost")),
    )


def _cost(raw: object) -> Decimal | None:
    """Read what a server says that an answer costs: OpenRouter a number, Perplexity an object with a total."""
    value = raw.get("total_cost") if isinstance(raw, dict) else raw
    if type(value) not in {int, float} or not 0 <= value < 1e9:  # type: ignore[operator]  # it is a number
        return None
    return Decimal(repr(value))
