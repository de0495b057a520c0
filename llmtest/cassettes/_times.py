"""When an exchange was recorded, as far as its file says it."""

from __future__ import annotations

from datetime import UTC, datetime
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
