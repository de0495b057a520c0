"""The date on which a simulation begins, as people write it."""

from __future__ import annotations

import datetime as dt

from llmtest.clock._clock import datetime_at
from llmtest.clock._real import REAL
from llmtest.errors import ConfigurationError

__all__ = ["epoch_of"]


def epoch_of(start: str | dt.date) -> dt.datetime:
    """Return when a simulation begins, in UTC.

    Args:
        start: An ISO date, with or without a time of day, as text or as an object; without a time zone it is UTC.
            `"now"` is what the machine's clock reads.

    Raises:
        ConfigurationError: It is none of these, or before 1970.
    """
    moment = _read(start)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=dt.UTC)
    moment = moment.astimezone(dt.UTC)
    if moment.year < 1970:
        raise ConfigurationError(f"start={start!r}: a simulation cannot begin before 1970.\nTo fix: a later date.")
    return moment


def _read(start: str | dt.date) -> dt.datetime:
    if isinstance(start, REAL.datetime_type):
        return start
    if isinstance(start, REAL.date_type):
        return dt.datetime(start.year, start.month, start.day)  # noqa: DTZ001 - the zone is added by the caller
    if start == "now":
        return datetime_at(REAL.time_ns())
    try:
        return dt.datetime.fromisoformat(start)  # type: ignore[arg-type]  # what is neither is told below
    except (TypeError, ValueError):
        raise ConfigurationError(
            f"start={start!r} is no date.\n"
            'To fix: start="2026-03-01T23:59", start="2026-03-01", a datetime, or start="now" for the machine\'s clock.'
        ) from None
