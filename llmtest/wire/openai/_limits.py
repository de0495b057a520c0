"""Rate limits as OpenAI tells of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from llmtest.wire._headers import format_duration, header, integer, parse_duration
from llmtest.wire._records import Headers, LimitState, RateLimits

__all__ = ["limit_headers", "parse_limits"]


def limit_headers(limits: RateLimits, now: datetime) -> Headers:  # noqa: ARG001 - its resets are durations
    """Write `x-ratelimit-*` headers, resets as Go durations."""
    found: list[tuple[str, str]] = []
    kinds = (("requests", limits.requests), ("tokens", limits.tokens))
    found += [(f"x-ratelimit-limit-{kind}", str(state.limit)) for kind, state in kinds if state]
    found += [(f"x-ratelimit-remaining-{kind}", str(max(0, state.remaining))) for kind, state in kinds if state]
    found += [(f"x-ratelimit-reset-{kind}", _reset(state.reset_after)) for kind, state in kinds if state]
    return tuple(found)


def _reset(seconds: float) -> str:
    """Write when a limit is full again; a header is ASCII, so microseconds are told as the millisecond they are in."""
    return format_duration(max(seconds, 0.001) if seconds else 0)


def parse_limits(headers: Mapping[str, str], now: datetime) -> RateLimits | None:  # noqa: ARG001 - the same
    """Read `x-ratelimit-*` headers."""
    states = {}
    for kind in ("requests", "tokens"):
        limit = integer(header(headers, f"x-ratelimit-limit-{kind}"))
        remaining = integer(header(headers, f"x-ratelimit-remaining-{kind}"))
        if limit is not None and remaining is not None:
            reset = parse_duration(header(headers, f"x-ratelimit-reset-{kind}"))
            states[kind] = LimitState(limit, remaining, reset or 0.0)
    return RateLimits(**states) if states else None
