"""Real time that passed in a simulation, as an event of its trace."""

from __future__ import annotations

from llmtest import events

__all__ = ["note_real_time"]


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
