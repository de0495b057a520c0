"""`datetime.now` in virtual time, without another class.

A replaced class would break `isinstance`, and pydantic, which looks classes up when it builds a schema. So the two
methods that read the machine's clock are replaced inside the type, which is immutable from Python: its dictionary is
reached through the garbage collector, and the type is told that it changed. `date.today` and `datetime.today` ask
`time.time` and follow by themselves.
"""

from __future__ import annotations

import ctypes
import gc
import sys
import warnings
from datetime import UTC, datetime, tzinfo
from typing import Any

from llmtest.clock._clock import NS_PER_SECOND, VirtualClock
from llmtest.clock._names import party_of_caller
from llmtest.errors import SimulationStateError

_methods: dict[str, Any] = gc.get_referents(datetime.__dict__)[0]
_originals = {name: _methods[name] for name in ("now", "utcnow")}


def _now(cls: type[datetime], tz: tzinfo | None = None) -> datetime:
    """Return the current date and time, in `tz` or in local time."""
    party = party_of_caller()
    if party is None:
        return _originals["now"].__get__(None, cls)(tz)  # type: ignore[no-any-return]  # the real method
    return _moment(cls, party.clock, tz)


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


_virtual = {"now": classmethod(_now), "utcnow": classmethod(_utcnow)}


def _set_methods(methods: dict[str, Any]) -> None:
    _methods.update(methods)
    ctypes.pythonapi.PyType_Modified(ctypes.py_object(datetime))


def install_datetime() -> None:
    """Make `datetime.now` and `utcnow` read the clock of the calling thread's simulation.

    Raises:
        SimulationStateError: This interpreter keeps its types in another way.
    """
    _set_methods(_virtual)
    party = party_of_caller()
    if party is not None and datetime.now(UTC) != _moment(datetime, party.clock, UTC):
        uninstall_datetime()
        raise SimulationStateError(
            f"`datetime.now` could not be made virtual on this interpreter ({sys.version.split()[0]}).\n"
            'To fix: run on CPython 3.11 to 3.13, or mark the test `@pytest.mark.llm_time("real")`.'
        )


def uninstall_datetime() -> None:
    """Put the methods back."""
    _set_methods(_originals)


