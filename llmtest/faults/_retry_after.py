"""`Retry-After` in the forms in which providers send it: seconds, milliseconds, a date, nothing that can be read."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from email.utils import format_datetime, parsedate_to_datetime

from llmtest.errors import ConfigurationError
from llmtest.faults._fault import Fault, HeaderChanges
from llmtest.types import is_number

__all__ = ["WORDS", "RetryAfter", "check_retry_after", "is_date", "retry_after_headers", "wait_in"]

RetryAfter = float | timedelta | str | None
"""Seconds, a `timedelta`, the text of an HTTP date, one of `WORDS`, or None for no header."""

WORDS = ("date", "ms", "unreadable")
"""`date`: an HTTP date. `ms`: the header `retry-after-ms` alone. `unreadable`: a text that is neither."""

UNREADABLE = "soon"


def check_retry_after(fault: Fault, value: RetryAfter, *, words: tuple[str, ...], example: str) -> None:
    """Refuse what cannot be said in a `Retry-After`.

    Raises:
        ConfigurationError: Negative, no number, or a text that is neither a word nor an HTTP date.
    """
    kind = type(fault).__name__
    if isinstance(value, timedelta):
        value = value.total_seconds()
    if isinstance(value, str):
        if value in words or _date(value) is not None:
            return
        near = get_close_matches(value, words, n=1)
        hint = f" Did you mean `{near[0]}`?" if near else ""
        forms = ["seconds", "a timedelta", "an HTTP date", *(f'"{word}"' for word in words)]
        raise ConfigurationError(
            f"{kind}: retry_after cannot be {value!r}.{hint} It is {', '.join(forms[:-1])} or {forms[-1]}.\n\n"
            f'To fix: {example}; for any other text {kind}(headers={{"retry-after": "..."}})'
        )
    if value is not None and not is_number(value):
        raise ConfigurationError(f"{kind}: retry_after must be seconds, 0 or more, got {value!r}.\n\nTo fix: {example}")


def wait_in(value: RetryAfter, seconds: float, now: datetime) -> float | None:
    """Return how many seconds a client can read out of it; None where it can read none."""
    if value is None or value == "unreadable":
        return None
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, str):
        date = _date(value)
        return seconds if date is None else max(0.0, (date - now).total_seconds())
    return value


def retry_after_headers(value: RetryAfter, seconds: float, now: datetime) -> HeaderChanges:
    """Return the headers of a form that is not plain seconds, which the dialect writes by itself."""
    if not isinstance(value, str):
        return ()
    if value == "ms":
        return (("retry-after", None), ("retry-after-ms", str(math.ceil(seconds * 1000))))
    if value == "unreadable":
        return (("retry-after", UNREADABLE), ("retry-after-ms", None))
    text = _in(seconds, now) if value == "date" else value
    return (("retry-after", text), ("retry-after-ms", None))


def _in(seconds: float, now: datetime) -> str:
    """Write a date that is not before so many seconds have passed; dates have whole seconds."""
    when = now.astimezone(UTC) + timedelta(seconds=seconds)
    if when.microsecond:
        when = when.replace(microsecond=0) + timedelta(seconds=1)
    return format_datetime(when, usegmt=True)


def is_date(text: str) -> bool:
    """Tell whether a text is an HTTP date."""
    return _date(text) is not None


def _date(text: str) -> datetime | None:
    try:
        when = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return when if when.tzinfo is not None else when.replace(tzinfo=UTC)
