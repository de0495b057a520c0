"""Tokens of one attempt, and how well they are known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["UNKNOWN_USAGE", "Usage", "UsageSource"]


UsageSource = Literal["exact", "estimated", "unknown"]


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one attempt.

    Counts are inclusive: `input_tokens` contains the cached ones, `output_tokens` the reasoning. (Anthropic's wire
    format excludes cached tokens from `input_tokens`; its codec adds them up.)

    `source` says how well they are known: `exact`, as the provider counted; `estimated`, where an answer was cut off
    before the provider had counted (cancelled, timed out, a stream that broke or was left); `unknown`, where a provider
    that answered did not say.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    source: UsageSource = "exact"

    @property
    def total_tokens(self) -> int:
        """Input and output together."""
        return self.input_tokens + self.output_tokens

    def __add__(self, other: Usage) -> Usage:
        """Return the sum; it is as uncertain as the more uncertain of the two."""
        order: tuple[UsageSource, ...] = ("exact", "estimated", "unknown")
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cache_read_tokens + other.cache_read_tokens,
            self.cache_write_tokens + other.cache_write_tokens,
            self.reasoning_tokens + other.reasoning_tokens,
            max(self.source, other.source, key=order.index),
        )


UNKNOWN_USAGE = Usage(source="unknown")
