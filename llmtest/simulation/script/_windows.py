"""How long a step is played, where it is played for a time instead of a number of times."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from llmtest.errors import ConfigurationError
from llmtest.types import is_number
from llmtest.wire import parse_duration

__all__ = ["Window", "window_ns"]

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
    seconds: Any = value
    if isinstance(value, timedelta):
        seconds = value.total_seconds()
    elif isinstance(value, str):
        seconds = None if value.strip().replace(".", "").isdecimal() else parse_duration(value)
    ns: int = round(seconds * 1e9) if is_number(seconds) else 0
    if ns < 1:
        raise ConfigurationError(
            f"fails: for_ must be a duration above 0, got {value!r}.\n\n"
            'To fix: for_="60s", "1m30s" or "250ms"; or a number of seconds'
        )
    return ns
