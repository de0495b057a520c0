"""Responses' token counts, between JSON and types."""

from __future__ import annotations

from typing import Any

from llmtest.types import UNKNOWN_USAGE, Usage
from llmtest.wire._json import count, is_counted

__all__ = ["decode_usage", "encode_usage"]


def encode_usage(usage: Usage) -> dict[str, Any]:
    """Write usage with all details that are always sent."""
    read: dict[str, Any] = {"cached_tokens": usage.cache_read_tokens}
    if usage.cache_write_tokens:
        read["cache_write_tokens"] = usage.cache_write_tokens
    return {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": read,
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.input_tokens + usage.output_tokens,
    }


def decode_usage(raw: object) -> Usage:
    """Read usage; a missing count is zero. Without any count, or with an impossible one, usage is unknown."""
    if not isinstance(raw, dict) or not is_counted(raw.get("input_tokens"), raw.get("output_tokens")):
        return UNKNOWN_USAGE
    read, written = raw.get("input_tokens_details"), raw.get("output_tokens_details")
    read = read if isinstance(read, dict) else {}
    written = written if isinstance(written, dict) else {}
    return Usage(
        count(raw.get("input_tokens")),
        count(raw.get("output_tokens")),
        count(read.get("cached_tokens")),
        count(read.get("cache_write_tokens")),
        count(written.get("reasoning_tokens")),
    )
