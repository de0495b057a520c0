"""The functions of `time`, as the threads of a simulation see them, under every name they were imported by.

The replacements are made once and ask at each call whether the calling thread takes part, so a module that is imported
during a simulation and keeps one of them reads real time again afterwards.
"""

from __future__ import annotations

import sys
import threading
import time
from operator import is_
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

from llmtest.clock._clock import NS_PER_SECOND, to_ns
from llmtest.clock._held import Place, places_in
from llmtest.clock._real import REAL

if TYPE_CHECKING:
    from llmtest.clock._participants import Party
    from llmtest.clock._patches import Patches

_get_ident = threading.get_ident

REAL_CALLERS = frozenset(
    {"subprocess", "multiprocessing", "pydevd", "_pydevd_bundle", "_pydev_bundle", "debugpy", "pdb", "bdb"}
)
"""Modules whose sleeps wait for something real: a child process, a person at a breakpoint."""
_UNTOUCHED = frozenset(
    {*sys.stdlib_module_names, "_pytest", "pytest", "pluggy", "xdist", "execnet", "coverage", "llmtest", "freezegun"}
    | {"hypothesis", "_hypothesis_pytestplugin"}
    | {"pydevd", "_pydevd_bundle", "_pydev_bundle", "debugpy", "looptime", "time_machine"}
) - {"__main__"}
"""Top-level packages whose own names for these functions stay real: the test runner times tests, a debugger polls."""
_REAL_TIME: Any = SimpleNamespace(**{**vars(time), **vars(REAL)})
"""The module `time`, for whoever shall go on to see the machine's."""


class _State:
    """The party whose threads see virtual time; None while no simulation runs."""

    party: Party | None = None


def running_party() -> Party | None:
    """Return the party of the simulation that runs, whoever asks."""
    return _State.party


def party_of_caller() -> Party | None:
    """Return the party that the calling thread belongs to."""
    party = _State.party
    return party if party is not None and _get_ident() in party.idents else None


def _time() -> float:
    """Return wall time in seconds since 1970."""
    party = _State.party
    if party is None or _get_ident() not in party.idents:
        return REAL.time()
    party.count_reads()
    return party.clock.time_ns() / NS_PER_SECOND


def _time_ns() -> int:
    """Return wall time in nanoseconds since 1970."""
    party = _State.party
    if party is None or _get_ident() not in party.idents:
        return REAL.time_ns()
    party.count_reads()
    return party.clock.time_ns()


def _make_monotonic(name: str) -> Any:
    real: Any = getattr(REAL, name)

    def monotonic() -> float:
        party = _State.party
        if party is None or _get_ident() not in party.idents:
            return float(real())
        party.count_reads()
        return party.clock.monotonic_ns() / NS_PER_SECOND

    def monotonic_ns() -> int:
        party = _State.party
        if party is None or _get_ident() not in party.idents:
            return int(real())
        party.count_reads()
        return party.clock.monotonic_ns()

    function = monotonic_ns if name.endswith("_ns") else monotonic
    function.__name__ = function.__qualname__ = name
    function.__doc__ = real.__doc__
    return function


def _sleep(seconds: float, /) -> None:
    """Wait; in virtual time where the calling thread takes part in a simulation."""
    party = _State.party
    if party is None or _get_ident() not in party.idents or called_by_a_real_caller(2):
        REAL.sleep(seconds)
        return
    if seconds < 0:
        raise ValueError("sleep length must be non-negative")
    party.clock.sleep_ns(to_ns(seconds))


def called_by_a_real_caller(depth: int, frames: int = 1) -> bool:
    """Tell whether one of the callers from `depth` on waits for something real."""
    frame = sys._getframe(depth)  # noqa: SLF001 - the documented way to the caller
    for _ in range(frames):
        if str(frame.f_globals.get("__name__")).partition(".")[0] in REAL_CALLERS:
            return True
        if frame.f_back is None:
            break
        frame = frame.f_back
    return False


def _make_broken_down(name: str) -> Any:
    real = getattr(REAL, name)

    def broken_down(secs: float | None = None, /) -> Any:
        return real(_time() if secs is None else secs)

    broken_down.__name__ = broken_down.__qualname__ = name
    broken_down.__doc__ = real.__doc__
    return broken_down


def _strftime(format_: str, when: Any = None, /) -> str:
    """Format a moment, by default now."""
    return REAL.strftime(format_, REAL.localtime(_time()) if when is None else when)


_WALL = frozenset(getattr(time, name) for name in ("CLOCK_REALTIME", "CLOCK_TAI") if hasattr(time, name))
_STEADY = frozenset(
    getattr(time, name)
    for name in ("CLOCK_MONOTONIC", "CLOCK_MONOTONIC_RAW", "CLOCK_BOOTTIME", "CLOCK_UPTIME_RAW", "CLOCK_UPTIME")
    if hasattr(time, name)
)


def _make_gettime(name: str) -> Any:
    real: Any = getattr(REAL, name)
    in_seconds = not name.endswith("_ns")

    def gettime(clk_id: int, /) -> Any:
        party = _State.party
        if party is None or _get_ident() not in party.idents or clk_id not in _WALL | _STEADY:
            return real(clk_id)
        party.count_reads()
        ns = party.clock.time_ns() if clk_id in _WALL else party.clock.monotonic_ns()
        return ns / NS_PER_SECOND if in_seconds else ns

    gettime.__name__ = gettime.__qualname__ = name
    gettime.__doc__ = real.__doc__
    return gettime


VIRTUAL: dict[str, Any] = {
    "time": _time,
    "time_ns": _time_ns,
    "sleep": _sleep,
    "strftime": _strftime,
    **{name: _make_monotonic(name) for name in ("monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns")},
    **{name: _make_broken_down(name) for name in ("localtime", "gmtime", "ctime")},
    **{name: _make_gettime(name) for name in ("clock_gettime", "clock_gettime_ns") if hasattr(REAL, name)},
}
_time.__name__ = _time.__qualname__ = "time"
_time_ns.__name__ = _time_ns.__qualname__ = "time_ns"
_sleep.__name__ = _sleep.__qualname__ = "sleep"
_strftime.__name__ = _strftime.__qualname__ = "strftime"

_times = {id(getattr(REAL, name)): function for name, function in VIRTUAL.items()}
_by_identity = dict(_times)


def also_by_name(real: Any, replacement: Any) -> None:
    """Replace one more thing in the modules that imported it by name; said before any module is looked at."""
    _by_identity[id(real)] = replacement


_scanned: dict[str, tuple[int, tuple[Place, ...]]] = {}
_NO_PLACES: tuple[Place, ...] = ()
_found: tuple[list[ModuleType], list[Place]] = ([], [])
"""The modules that there were when they were last looked through, and what was found."""


def install_names(patches: Patches, party: Party) -> None:
    """Put the replacements in place, for the threads of `party`."""
    _State.party = party
    for name, function in VIRTUAL.items():
        patches.replace(time, name, function)
    for place in _places():
        patches.replace_place(place)
    for name, alias, function in (("queue", "time", "monotonic"), ("threading", "_time", "monotonic")):
        patches.replace(sys.modules[name], alias, VIRTUAL[function])
    keep_hypothesis_real(patches)


def keep_hypothesis_real(patches: Patches) -> None:
    """Let Hypothesis measure how long an example really takes: its deadline is one for the machine."""
    for name, module in sys.modules.copy().items() if "hypothesis" in sys.modules else ():
        if name.startswith("hypothesis.") and vars(module).get("time") is time:
            patches.replace(module, "time", _REAL_TIME)


def uninstall_names() -> None:
    """Let every replacement that somebody kept read real time."""
    _State.party = None


def _places() -> list[Place]:
    """Find where modules hold on to a clock, by name or otherwise; each module is looked at once in its life."""
    global _found  # noqa: PLW0603 - between two tests there is hardly ever a new module, and there are thousands
    modules = sys.modules.copy()  # a copy is made in one go, whoever imports meanwhile
    there = list(modules.values())
    if len(there) == len(_found[0]) and all(map(is_, there, _found[0])):
        return _found[1]
    found: list[Place] = []
    for name, module in modules.items():
        known = _scanned.get(name)
        if known is None or known[0] != id(module):
            places = _NO_PLACES if name.partition(".")[0] in _UNTOUCHED or name.startswith("pytest_") else _scan(module)
            known = _scanned[name] = (id(module), places)
        found += known[1]
    _found = there, found
    return found


def _scan(module: Any) -> tuple[Place, ...]:
    try:
        values = list(vars(module).items())
    except TypeError:  # some packages put objects without a dictionary into sys.modules
        return _NO_PLACES
    names = tuple(
        Place(module, name, value, _by_identity[id(value)]) for name, value in values if id(value) in _by_identity
    )
    if any(value is time or id(value) in _times for _, value in values):  # without it, there is nothing to hold on to
        return (*names, *places_in(module, _times))
    return names
