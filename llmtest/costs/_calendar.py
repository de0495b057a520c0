"""Days and months of a time zone: which one a moment is in, and when it ends."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from llmtest.errors import ConfigurationError

__all__ = ["Calendar"]

DAY_NS = 86_400_000_000_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EPOCH_ORDINAL = date(1970, 1, 1).toordinal()


class Calendar:
    """The days of a time zone; those of summer and winter time have 23 or 25 hours.

    Args:
        zone: Name of the zone, such as `Europe/Berlin`, or a `tzinfo`; None: UTC.

    Raises:
        ConfigurationError: There is no such zone.
    """

    __slots__ = ("_known", "_zone")

    def __init__(self, zone: str | tzinfo | None) -> None:
        self._zone = _zone_of(zone)
        self._known = (0, 0, 0)
        """The day that was asked for last, from when to when it lasts, in nanoseconds since 1970."""

    def day(self, wall_ns: int) -> int:
        """Return the number of the day, from 1970 on."""
        if self._zone is None:
            return wall_ns // DAY_NS
        begins, ends, number = self._known
        if not begins <= wall_ns < ends:
            today = self._at(wall_ns).date()
            number = today.toordinal() - EPOCH_ORDINAL
            self._known = (_ns(self._midnight(today)), _ns(self._midnight(today + timedelta(days=1))), number)
        return number

    def end_of(self, scope: str, wall_ns: int) -> datetime | None:
        """Return when the day or month ends, in UTC; None for what has no end in time, or none in the calendar."""
        if scope not in {"day", "month"}:
            return None
        try:
            today = self._at(wall_ns).date()
            if scope == "day":
                return self._midnight(today + timedelta(days=1))
            return self._midnight(date(today.year + today.month // 12, today.month % 12 + 1, 1))
        except (OverflowError, ValueError):
            return None

    def _at(self, wall_ns: int) -> datetime:
        moment = EPOCH + timedelta(microseconds=wall_ns // 1000)
        return moment if self._zone is None else moment.astimezone(self._zone)

    def _midnight(self, day: date) -> datetime:
        return datetime(day.year, day.month, day.day, tzinfo=self._zone or UTC).astimezone(UTC)

    def __reduce__(self) -> tuple[object, ...]:
        """Make it anew elsewhere."""
        return Calendar, (self._zone,)


def _ns(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1) * 1000


def _zone_of(zone: object) -> tzinfo | None:
    if zone is None or zone == "UTC" or zone is UTC:
        return None
    if isinstance(zone, tzinfo):
        return zone
    try:
        return ZoneInfo(zone)  # type: ignore[arg-type]  # anything else is refused below
    except (ZoneInfoNotFoundError, ValueError, TypeError, OSError, AttributeError):
        raise ConfigurationError(
            f"no time zone {zone!r} is known.\n"
            'To fix: timezone="Europe/Berlin", or another name of the IANA list (on Windows: pip install tzdata)'
        ) from None
