"""Requests that nobody marked, put into logical calls, so that whoever counts calls finds every request in one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from llmtest.events import CallEnded, Event, RequestAnswered, RequestReceived
from llmtest.testing._history import Seen, answered_groups, attempts_of, calls_of

__all__ = ["with_marks"]

Cut = tuple[int, list[Seen]]


def with_marks(events: Iterable[Event], assertion: str) -> list[Event]:
    """Return the events with a number on every call: unmarked requests are one call for each answer.

    What failed before an answer belongs to its call, and what failed after the last one is a call that failed. The
    numbers are negative, because the trace has given the others.

    Args:
        events: The whole trace.
        assertion: Who asks, for the error.

    Raises:
        AmbiguousCallError: Unmarked requests overlap.
    """
    __tracebackhide__ = True
    events = list(events)
    unmarked = [seen for seen in attempts_of(events) if seen.call == 0]
    groups = [group for attempts in calls_of(unmarked, assertion) for group in answered_groups(attempts)]
    numbers: dict[int, int] = {}
    closing: dict[int, Cut] = {}
    for number, group in enumerate(sorted(groups, key=lambda group: group[0].began), start=1):
        for seen in group:
            numbers[seen.began] = -number
            if seen.ended is not None:
                numbers[seen.ended] = -number
        closing[max(seen.began if seen.ended is None else seen.ended for seen in group)] = (-number, group)
    marked: list[Event] = []
    for position, event in enumerate(events):
        is_theirs = position in numbers and isinstance(event, RequestReceived | RequestAnswered)
        marked.append(replace(event, call=numbers[position]) if is_theirs else event)
        if position in closing:
            marked.append(_end(event.at_ns, *closing[position]))
    return marked


def _end(at_ns: int, number: int, group: list[Seen]) -> CallEnded:
    first, last = group[0], group[-1]
    if not last.answered:
        return CallEnded(at_ns, number, "", last.outcome, None, None, first.at_ns)
    return CallEnded(at_ns, number, "", "ok", last.provider, last.model, first.at_ns)
