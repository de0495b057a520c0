"""When an exchange was recorded, as far as its file says it, and how long ago that is in words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from llmtest.cassettes._interactions import Interaction


def recorded_time(interaction: Interaction) -> datetime | None:
    """Return when an interaction was recorded; None where the file does not say, or says no time."""
    said: Any = interaction.recorded_at
    if isinstance(said, str):
        try:
            said = datetime.fromisoformat(said)
        except ValueError:
            return None
    return _in_utc(said) if isinstance(said, datetime) else None


def dates_of(interaction: Interaction) -> list[datetime]:
    """Return the date of an answer, if it says one: when it was recorded, as far as its server's clock was right."""
    try:
        date = _in_utc(parsedate_to_datetime(interaction.response.header("date") or ""))
    except ValueError:
        return []
    return [] if date is None else [date]


def _in_utc(time: datetime) -> datetime | None:
    try:
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except OverflowError:  # an hour before the first day of the calendar
        return None


def in_days(age: timedelta) -> str:
    """Return a span of time in its largest fitting unit: `1 day`, `90 days`, `5 hours`, `40 minutes`."""
    for size, unit in ((86400, "day"), (3600, "hour"), (60, "minute")):
        number = int(age.total_seconds() // size)
        if number >= 1 or unit == "minute":
            break
    return f"{number:,} {unit}{'' if number == 1 else 's'}"
