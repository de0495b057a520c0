"""Real time that passed in a simulation, and clocks that nobody can replace, as events of its trace."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial, wraps
from typing import Any

from llmtest import events
from llmtest.clock import Clock

__all__ = ["foreign_clocks", "note_foreign_clock", "note_real_time"]


def note_real_time(trace: events.Trace, at_ns: int, seconds: float, where: str | None) -> None:
    """Write down a wait that is not virtual, or that the one written down last goes on.

    Args:
        trace: The trace of the simulation.
        at_ns: What its clock reads.
        seconds: Real seconds that have passed in the wait so far.
        where: The line that waits, as `file:line`.
    """
    known = [event for event in trace if isinstance(event, events.RealTimePassed)]
    last = known[-1] if known else None
    if last is None or (last.at_ns, last.where) != (at_ns, where) or last.seconds > seconds:
        trace.append(events.RealTimePassed(at_ns, 0, "native_wait", seconds, where=where))
    else:
        last.seconds = seconds  # it is not over yet, and no digest covers it


def note_foreign_clock(trace: events.Trace, clock: Clock, library: str) -> None:
    """Write down that a library goes by a clock that nobody can replace."""
    trace.append(events.RealTimePassed(clock.now_ns(), 0, "foreign_clock", library=library))


FOREIGN: dict[str, tuple[str, str]] = {"litellm.router_rust.core": ("RustCore", "litellm's Router")}
"""Modules whose class keeps what expires in native code, by the machine's clock, and what a reader calls it."""


@contextmanager
def foreign_clocks(note: Callable[[str], None]) -> Iterator[None]:
    """Tell when something is made that goes by a clock which nobody can replace.

    A class that is imported while the context is open is told of when it closes: whoever imports it makes one.

    Args:
        note: Called with what it is, once for each.
    """
    told: set[str] = set()

    def tell(name: str) -> None:
        if name not in told:
            told.add(name)
            note(name)

    with ExitStack() as undo:
        missing = []
        for module, (cls, name) in FOREIGN.items():
            made = getattr(sys.modules.get(module), cls, None)
            if made is None:
                missing.append((module, name))
            else:
                undo.enter_context(_told(made, partial(tell, name)))
        try:
            yield
        finally:
            for module, name in missing:
                if module in sys.modules:
                    tell(name)


@contextmanager
def _told(made: type, tell: Callable[[], None]) -> Iterator[None]:
    """Call `tell` whenever an instance of a class is made."""
    real: Any = vars(made).get("__init__", made.__init__)  # type: ignore[misc]  # of the class, not of an instance

    @wraps(real)
    def init(self: Any, *args: Any, **options: Any) -> None:
        tell()
        real(self, *args, **options)

    setattr(made, "__init__", init)  # noqa: B010 - a class's own method is replaced, and put back
    try:
        yield
    finally:
        setattr(made, "__init__", real)  # noqa: B010 - see above
