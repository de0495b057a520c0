"""Tokens of one attempt, and how well they are known."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from llmtest.types._quick_init import quick_init

__all__ = ["UNKNOWN_USAGE", "Usage", "UsageSource"]


UsageSource = Literal["exact", "estimated", "unknown"]


@quick_init
@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one attempt.

    Counts are inclusive: `input_tokens` contains the cached ones, `output_tokens` the reasoning. (Anthropic's wire
    format excludes cached tokens from `input_tokens`; its codec adds them up.)

    `source` says how well they are known: `exact`, as the provider counted; `estimated`, where an answer was cut off
    before the provider had counted (cancelled, timed out, a stream that broke or was left); `unknown`, where a provider
    that answered did not say.

    Args:
        input_tokens: Tokens of the prompt.
        output_tokens: Tokens of the answer.
        cache_read_tokens: Of the prompt, those read from the provider's cache.
        cache_write_tokens: Of the prompt, those written to it.
        reasoning_tokens: Of the answer, those thought.
        source: How well they are known.
        cache_write_1h_tokens: Of those written, those to be kept for an hour; the others are kept for five minutes.
        input_audio_tokens: Of the prompt, those of sound.
        output_audio_tokens: Of the answer, those of sound.
        server_tools: How often tools were used that run at the provider: `(("web_search", 2),)`, sorted by name.
        cost_usd: What the provider says that it costs (OpenRouter does); None where it does not say.
        input_image_tokens: Of the prompt, those of pictures, where the provider counts them apart.
        output_image_tokens: Of the answer, those of pictures, where the provider counts them apart.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    source: UsageSource = "exact"
    cache_write_1h_tokens: int = 0
    input_audio_tokens: int = 0
    output_audio_tokens: int = 0
    server_tools: tuple[tuple[str, int], ...] = ()
    cost_usd: Decimal | None = None
    input_image_tokens: int = 0
    output_image_tokens: int = 0

    def __hash__(self) -> int:
        """Return the hash of the counts that differ most; a bill is looked up by its usage on every simulated call."""
        return hash((self.input_tokens, self.output_tokens, self.cache_read_tokens, self.reasoning_tokens))

    @property
    def total_tokens(self) -> int:
        """Input and output together."""
        return self.input_tokens + self.output_tokens

    @property
    def is_possible(self) -> bool:
        """Whether no count is negative; what cannot be is not known."""
        return (
            self.input_tokens >= 0
            and self.output_tokens >= 0
            and self.cache_read_tokens >= 0
            and self.cache_write_tokens >= 0
        )

    def __add__(self, other: Usage) -> Usage:
        """Return the sum; it is as uncertain as the more uncertain of the two.

        A cost that only one of them states is no cost of both, unless the other used nothing.
        """
        order: tuple[UsageSource, ...] = ("exact", "estimated", "unknown")
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cache_read_tokens + other.cache_read_tokens,
            self.cache_write_tokens + other.cache_write_tokens,
            self.reasoning_tokens + other.reasoning_tokens,
            max(self.source, other.source, key=order.index),
            self.cache_write_1h_tokens + other.cache_write_1h_tokens,
            self.input_audio_tokens + other.input_audio_tokens,
            self.output_audio_tokens + other.output_audio_tokens,
            _sum_of(self.server_tools, other.server_tools),
            _cost_of(self, other),
            self.input_image_tokens + other.input_image_tokens,
            self.output_image_tokens + other.output_image_tokens,
        )


def _sum_of(one: tuple[tuple[str, int], ...], other: tuple[tuple[str, int], ...]) -> tuple[tuple[str, int], ...]:
    """Return the uses of both, by tool."""
    if not one or not other:
        return one or other
    return tuple(sorted((Counter(dict(one)) + Counter(dict(other))).items()))


def _cost_of(one: Usage, other: Usage) -> Decimal | None:
    """Return what both cost, as far as the provider says so."""
    if one.cost_usd is None:
        return other.cost_usd if one == _NO_USAGE else None
    if other.cost_usd is None:
        return one.cost_usd if other == _NO_USAGE else None
    return one.cost_usd + other.cost_usd


_NO_USAGE = Usage()


UNKNOWN_USAGE = Usage(source="unknown")
