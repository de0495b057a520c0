"""Rate limits as Anthropic tells of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from llmtest.wire._headers import header, integer
from llmtest.wire._records import Headers, LimitState, RateLimits

__all__ = ["limit_headers", "parse_limits"]

_KINDS = (
    ("requests", "requests"),
    ("tokens", "tokens"),
    ("input-tokens", "input_tokens"),
    ("output-tokens", "output_tokens"),
)


def limit_headers(limits: RateLimits, now: datetime) -> Headers:
    """Write `anthropic-ratelimit-*` headers, resets as RFC 3339 UTC, whole seconds rounded up."""
    found: list[tuple[str, str]] = []
    for kind, attribute in _KINDS:
        state: LimitState | None = getattr(limits, attribute)
        if state is None:
            continue
        reset = now + timedelta(seconds=state.reset_after)
        if reset.microsecond:
            reset = reset.replace(microsecond=0) + timedelta(seconds=1)
        prefix = f"anthropic-ratelimit-{kind}"
        found += (
            (f"{prefix}-limit", str(state.limit)),
            (f"{prefix}-remaining", str(max(0, state.remaining))),
            (f"{prefix}-reset", reset.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")),
        )
    return tuple(found)


def parse_limits(headers: Mapping[str, str], now: datetime) -> RateLimits | None:
    """Read `anthropic-ratelimit-*` headers."""
    states = {}
    for kind, attribute in _KINDS:
        prefix = f"anthropic-ratelimit-{kind}"
        limit = integer(header(headers, f"{prefix}-limit"))
        remaining = integer(header(headers, f"{prefix}-remaining"))
        if limit is None or remaining is None:
            continue
        reset_after = 0.0
        try:
            reset = datetime.fromisoformat(header(headers, f"{prefix}-reset") or "")
            reset_after = max(0.0, (reset - now).total_seconds())
        except (ValueError, TypeError):
            pass
        states[attribute] = LimitState(limit, remaining, reset_after)
    return RateLimits(**states) if states else None
