"""Requests that nobody marked, put into logical calls by evidence, so that whoever judges calls finds each in one.

A request belongs to the call of an earlier one that failed if the SDK counts it as a retry, if both carry one
idempotency key, or if the same piece of running code asked the same again. The same question asked again in one task or
thread without such a proof may be a retry or another call: that is a doubt, and no verdict may turn on it. Other tasks
and threads make other calls.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from llmtest.conduct import RETRY_COUNT, RequestLog
from llmtest.errors import AmbiguousCallError
from llmtest.events import CallEnded, Event, RequestAnswered, RequestReceived
from llmtest.simulation import RequestRecord
from llmtest.testing._history import Seen, attempts_of
from llmtest.types import CompletionRequest

__all__ = ["Grouping", "ambiguous_call", "group_unmarked", "with_marks"]

KEYS = ("idempotency-key", "x-idempotency-key")
Doubt = tuple[Seen, Seen]
"""A request that failed, and a later one that may repeat it."""


@dataclass(slots=True)
class Group:
    """Requests of one call, as far as the evidence goes.

    Args:
        members: In the order in which they began.
        said: What was asked, as far as a retry or a fallback asks the same.
        record: What the provider kept of the last one.
    """

    members: list[Seen]
    said: object
    record: RequestRecord | None

    @property
    def last(self) -> Seen:
        """The latest request."""
        return self.members[-1]


@dataclass(slots=True)
class Grouping:
    """Unmarked requests in calls.

    Args:
        groups: The calls.
        doubts: Pairs that may belong to one call.
    """

    groups: list[list[Seen]] = field(default_factory=list)
    doubts: list[Doubt] = field(default_factory=list)

    def joined(self) -> Grouping:
        """Return the other reading: every doubtful request is a retry of the one before it."""
        home = {id(seen): group for group in self.groups for seen in group}
        for before, after in self.doubts:
            first, second = home[id(before)], home[id(after)]
            if first[-1] is before:  # Else another one is read as its retry already.
                first += second
                home.update((id(seen), first) for seen in second)
        unique = {id(group): group for group in home.values()}
        return Grouping([sorted(group, key=lambda seen: seen.began) for group in unique.values()])


def group_unmarked(events: Sequence[Event], log: RequestLog) -> Grouping:
    """Put the requests that nobody marked into calls.

    Args:
        events: The whole trace.
        log: What the providers kept of them.
    """
    grouping = Grouping()
    waiting: list[Group] = []
    for seen in attempts_of(events):
        if seen.call != 0 or not seen.requested:
            continue
        record = log.record(seen.exchange)
        said = _said(seen, record)
        candidates = [group for group in waiting if _is_over(group.last, seen)]
        home = next((group for group in reversed(candidates) if _continues(group, seen, record, said)), None)
        if home is None:
            doubtful = next((group for group in reversed(candidates) if _may_continue(group, record, said)), None)
            if doubtful is not None:
                grouping.doubts.append((doubtful.last, seen))
            home = Group([], said, record)
            waiting.append(home)
            grouping.groups.append(home.members)
        home.members.append(seen)
        home.record = record
        if not seen.failed:
            waiting.remove(home)
    latest = {id(group[-1]) for group in grouping.groups}  # Who went on by itself was repeated by nobody else.
    grouping.doubts = [doubt for doubt in grouping.doubts if id(doubt[0]) in latest]
    return grouping


def _is_over(last: Seen, seen: Seen) -> bool:
    """Tell whether a request had failed before another one began."""
    return last.ended is not None and last.ended < seen.began


def _continues(group: Group, seen: Seen, record: RequestRecord | None, said: object) -> bool:
    """Tell whether it is proven that a request belongs to the call of one that failed."""
    before = group.record
    if before is None or record is None:
        return False
    if any(record.headers.get(key) and record.headers.get(key) == before.headers.get(key) for key in KEYS):
        return True
    same_actor = _may_be_one(before, record)
    if _retry_count(record) == _retry_count(before) + 1 and seen.provider == group.last.provider:
        return same_actor and record.body == before.body
    is_same_code = record.follows != 0 and any(member.exchange == record.follows for member in group.members)
    return is_same_code and same_actor and said == group.said


def _may_continue(group: Group, record: RequestRecord | None, said: object) -> bool:
    """Tell whether a request asks the same as one that failed, in the same task or thread."""
    before = group.record
    return group.said == said and (before is None or record is None or _may_be_one(before, record))


def _may_be_one(before: RequestRecord, record: RequestRecord) -> bool:
    return before.actor is None or record.actor is None or before.actor == record.actor


def _retry_count(record: RequestRecord) -> int:
    count = record.headers.get(RETRY_COUNT, "0")
    return int(count) if count.isdigit() else 0


def _said(seen: Seen, record: RequestRecord | None) -> object:
    """Return what a request asks, as far as its retries and fallbacks ask the same: the last message."""
    if record is None:
        return seen.operation
    request = record.request
    if isinstance(request, CompletionRequest) and request.messages:
        last = request.messages[-1]
        return (seen.operation, last.role, last.content, last.tool_call_id)
    return (seen.operation, record.body or str(request))


def ambiguous_call(assertion: str, doubt: Doubt) -> AmbiguousCallError:
    """Return the error of a verdict that turns on whether two requests belong to one call."""
    first, second = doubt
    return AmbiguousCallError(
        f"{assertion} cannot tell which requests belong together, and the verdict turns on it: the second of these "
        "repeats the first in one call, or it is another call that asks the same.\n\n"
        f"  {first.step} began at {first.at_ns / 1e9:.3f} s and failed\n"
        f"  {second.step} began at {second.at_ns / 1e9:.3f} s\n\n"
        "To fix: mark each call of the code under test, in one of two ways:\n"
        '  with llm_sim.call("summary"):\n'
        "      my_app.summarise(text)\n\n"
        '  summarise = llm_sim.call("summary")(my_app.summarise)'
    )


def with_marks(events: Iterable[Event], groups: Sequence[Sequence[Seen]]) -> list[Event]:
    """Return the events with a number on every call: a negative one where nobody marked it.

    Args:
        events: The whole trace.
        groups: Its unmarked requests, call by call.
    """
    events = list(events)
    numbers: dict[int, int] = {}
    closing: dict[int, list[tuple[int, Sequence[Seen]]]] = {}
    for number, group in enumerate(sorted(groups, key=lambda group: group[0].began), start=1):
        for seen in group:
            numbers[seen.began] = -number
            if seen.ended is not None:
                numbers[seen.ended] = -number
        end = max(seen.began if seen.ended is None else seen.ended for seen in group)
        closing.setdefault(end, []).append((-number, group))
    marked: list[Event] = []
    for position, event in enumerate(events):
        is_theirs = position in numbers and isinstance(event, RequestReceived | RequestAnswered)
        marked.append(replace(event, call=numbers[position]) if is_theirs else event)
        marked += (_end(event.at_ns, number, group) for number, group in closing.get(position, ()))
    return marked


def _end(at_ns: int, number: int, group: Sequence[Seen]) -> CallEnded:
    first, last = group[0], group[-1]
    if not last.answered:
        return CallEnded(at_ns, number, "", last.outcome, None, None, first.at_ns)
    return CallEnded(at_ns, number, "", "ok", last.provider, last.model, first.at_ns)
