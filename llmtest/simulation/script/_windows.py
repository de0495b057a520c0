"""How long a step is played, where it is played for a time instead of a number of times."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from llmtest.errors import ConfigurationError
from llmtest.types import is_number
from llmtest.wire import parse_duration

__all__ = ["Window", "duration_ns", "window_ns"]

Window = str | float | timedelta
"""`"60s"`, `"1m30s"`, seconds, or a `timedelta`."""


def window_ns(value: Any, times: int | None) -> int:
    """Return how long a step lasts, in nanoseconds.

    Args:
        value: A `Window`, above 0.
        times: How often the step is played; a step has one of the two.

    Raises:
        ConfigurationError: Not a duration, or both are given.
    """
    if times not in {1, None}:
        raise ConfigurationError(
            f"fails: times={times} and for_={value!r} say two different things.\n\nTo fix: leave one of them out"
        )
    return duration_ns("fails", "for_", value)


def duration_ns(method: str, argument: str, value: Any) -> int:
    """Return a duration in nanoseconds.

    Args:
        method: What takes it.
        argument: What it is called there.
        value: A `Window`, above 0.

    Raises:
        ConfigurationError: Not a duration above 0.
    """
    seconds: Any = value
    if isinstance(value, timedelta):
        seconds = value.total_seconds()
    elif isinstance(value, str):
        seconds = None if value.strip().replace(".", "").isdecimal() else parse_duration(value)
    ns: int = round(seconds * 1e9) if is_number(seconds) else 0
    if ns < 1:
        raise ConfigurationError(
            f"{method}: {argument} must be a duration above 0, got {value!r}.\n\n"
            f'To fix: {argument}="60s", "1m30s" or "250ms"; or a number of seconds'
        )
    return ns
