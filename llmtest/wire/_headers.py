"""Headers that steer clients: when to come back, whether to, and how much of a limit is left."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_UNITS_NS = {
    "h": 3_600_000_000_000,
    "m": 60_000_000_000,
    "s": 1_000_000_000,
    "ms": 1_000_000,
    "us": 1_000,
    "µs": 1_000,
    "ns": 1,
}
_DURATION = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(h|ms|m|s|us|µs|ns)")


def header(headers: Mapping[str, str], name: str) -> str | None:
    """Look a header up by its lower-case name, whatever the case of the mapping's keys."""
    value = headers.get(name)
    if value is not None:
        return value
    return next((text for key, text in headers.items() if key.lower() == name), None)


def bearer_token(headers: Mapping[str, str]) -> str | None:
    """Return the token of `Authorization: Bearer ...`, if there is one."""
    scheme, _, token = (header(headers, "authorization") or "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def parse_retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Return how many seconds the provider asks to wait.

    `retry-after-ms` is preferred, as both official SDKs do; then `retry-after` in seconds, with or without a fraction,
    or as an HTTP date. A date in the past is 0.0. A negative, infinite or unreadable value says nothing: None.
    """
    milliseconds = _finite(header(headers, "retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    text = header(headers, "retry-after")
    if text is None:
        return None
    seconds = _finite(text)
    if seconds is not None:
        return seconds
    try:
        when = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    when = when if when.tzinfo is not None else when.replace(tzinfo=UTC)
    return max(0.0, (when - now).total_seconds())


def _finite(text: str | None) -> float | None:
    if text is None or "_" in text:
        return None
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None


def parse_should_retry(headers: Mapping[str, str]) -> bool | None:
    """Return what `x-should-retry` says; None where it says nothing."""
    return {"true": True, "false": False}.get((header(headers, "x-should-retry") or "").strip().lower())


def number(value: float) -> str:
    """Write a number of seconds: `30`, `1.5`, never `30.0` nor an exponent."""
    return str(int(value)) if value == int(value) else f"{value:.9f}".rstrip("0")


def format_duration(seconds: float) -> str:
    """Write a duration as Go does: `12ms`, `1m30.5s`, `6m0s`, `0s`."""
    total = round(seconds * 1e9)
    if total == 0:
        return "0s"
    for unit in ("s", "ms", "µs"):
        if total >= _UNITS_NS[unit]:
            break
    else:
        return f"{total}ns"
    if unit != "s":
        return _fraction(total, _UNITS_NS[unit]) + unit
    hours, rest = divmod(total, _UNITS_NS["h"])
    minutes, rest = divmod(rest, _UNITS_NS["m"])
    text = _fraction(rest, _UNITS_NS["s"]) + "s"
    if hours:
        return f"{hours}h{minutes}m{text}"
    return f"{minutes}m{text}" if minutes else text


def _fraction(value: int, unit: int) -> str:
    whole, rest = divmod(value, unit)
    if not rest:
        return str(whole)
    return f"{whole}.{rest:0{len(str(unit)) - 1}d}".rstrip("0")


def parse_duration(text: str | None) -> float | None:
    """Read a Go duration (`1m30.5s`), or a bare number of seconds as Azure writes it."""
    if text is None:
        return None
    text = text.strip()
    total = 0.0
    end = 0
    for match in _DURATION.finditer(text):
        if match.start() != end:
            return None
        total += float(match[1]) * _UNITS_NS[match[2]]
        end = match.end()
    if end and end == len(text):
        return total / 1e9
    return _finite(text) if not end else None


def integer(text: str | None) -> int | None:
    """Read a whole number, 0 or more; None where there is none."""
    value = _finite(text)
    return None if value is None else int(value)
