"""`datetime.now` in virtual time, without another class.

A replaced class would break `isinstance`, and pydantic, which looks classes up when it builds a schema. So the methods
that read the machine's clock are replaced inside the types, which are immutable from Python: their dictionaries are
reached through the garbage collector, and the types are told that they changed. `today` asks `time.time` and follows by
itself; it is replaced for the local time of freezegun.
"""

from __future__ import annotations

import ctypes
import gc
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, tzinfo
from typing import Any

from llmtest.clock._clock import NS_PER_SECOND, VirtualClock
from llmtest.clock._names import party_of_caller
from llmtest.clock._real import REAL
from llmtest.errors import SimulationStateError

_datetime_methods: dict[str, Any] = gc.get_referents(REAL.datetime_type.__dict__)[0]
_date_methods: dict[str, Any] = gc.get_referents(REAL.date_type.__dict__)[0]
_real_now = _datetime_methods["now"]
_real_utcnow = _datetime_methods["utcnow"]
_real_today = _date_methods["today"]


def _now(cls: type[datetime], tz: tzinfo | None = None) -> datetime:
    """Return the current date and time, in `tz` or in local time."""
    party = party_of_caller()
    if party is None:
        return _real_now.__get__(None, cls)(tz)  # type: ignore[no-any-return]  # the real method
    if tz is None and party.local_offset is not None:
        return _moment(cls, party.clock, UTC).replace(tzinfo=None) + party.local_offset
    return _moment(cls, party.clock, tz)


def _today(cls: type[date]) -> date:
    """Return the current local date, or date and time on a `datetime`."""
    party = party_of_caller()
    if party is None or party.local_offset is None:
        return _real_today.__get__(None, cls)()  # type: ignore[no-any-return]  # it asks `time.time`, which is ours
    now = _moment(REAL.datetime_type, party.clock, UTC).replace(tzinfo=None) + party.local_offset
    if issubclass(cls, datetime):
        return cls(now.year, now.month, now.day, now.hour, now.minute, now.second, now.microsecond)
    return cls(now.year, now.month, now.day)


def _utcnow(cls: type[datetime]) -> datetime:
    """Return the current date and time in UTC, without saying so."""
    if sys.version_info >= (3, 12):
        warnings.warn(
            "datetime.datetime.utcnow() is deprecated and scheduled for removal in a future version. Use "
            "timezone-aware objects to represent datetimes in UTC: datetime.datetime.now(datetime.UTC).",
            DeprecationWarning,
            stacklevel=2,
        )
    party = party_of_caller()
    if party is None:
        return cls.now(UTC).replace(tzinfo=None)
    return _moment(cls, party.clock, UTC).replace(tzinfo=None)


def _moment(cls: type[datetime], clock: VirtualClock, tz: tzinfo | None) -> datetime:
    seconds, ns = divmod(clock.time_ns(), NS_PER_SECOND)
    return cls.fromtimestamp(seconds, tz).replace(microsecond=ns // 1000)


def _set_methods(now: Any, utcnow: Any, today: Any) -> None:
    _datetime_methods["now"] = now
    _datetime_methods["utcnow"] = utcnow
    _date_methods["today"] = today
    ctypes.pythonapi.PyType_Modified(ctypes.py_object(REAL.date_type))  # and with it its subclass
    ctypes.pythonapi.PyType_Modified(ctypes.py_object(REAL.datetime_type))


def install_datetime() -> None:
    """Make `datetime.now` and `utcnow` read the clock of the calling thread's simulation.

    Raises:
        SimulationStateError: This interpreter keeps its types in another way.
    """
    _set_methods(classmethod(_now), classmethod(_utcnow), classmethod(_today))
    party = party_of_caller()
    if party is None:
        return
    before, shown = _moment(REAL.datetime_type, party.clock, UTC), REAL.datetime_type.now(UTC)
    if not before <= shown <= _moment(REAL.datetime_type, party.clock, UTC):
        uninstall_datetime()
        raise SimulationStateError(
            f"`datetime.now` could not be made virtual on this interpreter ({sys.version.split()[0]}).\n"
            'To fix: run on CPython 3.11 to 3.13, or mark the test `@pytest.mark.llm_time("real")`.'
        )


@contextmanager
def real_datetime() -> Iterator[None]:
    """Let the methods be the machine's while the context is open."""
    uninstall_datetime()
    try:
        yield
    finally:
        _set_methods(classmethod(_now), classmethod(_utcnow), classmethod(_today))


def uninstall_datetime() -> None:
    """Put the methods back."""
    _set_methods(_real_now, _real_utcnow, _real_today)
