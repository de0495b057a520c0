"""The machine's own time functions, out of reach of whoever replaces names in modules.

Simulations and freezegun both replace every name that a module bound to one of these; attributes of an object are not
names of a module.
"""

from __future__ import annotations

import datetime as dt
import sys
import time
from collections.abc import Callable
from time import struct_time
from types import SimpleNamespace
from typing import Any


class RealFunctions(SimpleNamespace):
    """The functions by their names in `time`."""

    time: Callable[[], float]
    time_ns: Callable[[], int]
    sleep: Callable[[float], None]
    monotonic: Callable[[], float]
    monotonic_ns: Callable[[], int]
    perf_counter: Callable[[], float]
    perf_counter_ns: Callable[[], int]
    localtime: Callable[[float | None], struct_time]
    gmtime: Callable[[float | None], struct_time]
    ctime: Callable[[float | None], str]
    strftime: Callable[[str, Any], str]
    clock_gettime: Callable[[int], float]
    clock_gettime_ns: Callable[[int], int]
    date_type: type[dt.date]
    datetime_type: type[dt.datetime]


def _real_functions() -> RealFunctions:
    """Return the functions, also where freezegun had replaced them before this module was imported."""
    frozen = vars(sys.modules.get("freezegun.api", time))
    names = [name for name in RealFunctions.__annotations__ if not name.endswith("_type")]
    return RealFunctions(
        **{name: frozen.get(f"real_{name}", getattr(time, name)) for name in names if hasattr(time, name)},
        date_type=frozen.get("real_date", dt.date),
        datetime_type=frozen.get("real_datetime", dt.datetime),
    )


REAL = _real_functions()
