"""Edits of what the codec wrote: fields, events, comments, signs of life. Pure, as all of rendering."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from functools import partial
from typing import Any

from llmtest.faults import FaultRule, PathStep, WireEdit, parse_path
from llmtest.simulation.plan._events import (
    comment_event,
    event_of,
    json_bytes,
    payload_of,
    with_payload,
)
from llmtest.simulation.plan._plan import Chunk, Failure, Head, Step, Wait
from llmtest.wire import Endpoint

__all__ = ["Edits", "UnappliedEditError", "edited_body", "edited_events", "kept_alive"]

Edits = tuple[tuple[WireEdit, FaultRule | None], ...]
"""Edits of an answer, each with the rule it comes from; None: the script's own."""

SHOWN_PATHS = 24
AN_HOUR_NS = 3_600_000_000_000
"""A silence without end is kept alive so long, for a client without a limit of its own would be kept for ever."""


class UnappliedEditError(Exception):
    """An edit of the script found nothing to change.

    Args:
        edit: The edit; None where exact events met a request that asked for no stream.
        reason: What it looked for, and what there is.
        fix: What to write instead.
    """

    def __init__(self, edit: WireEdit | None, reason: str, fix: str) -> None:
        super().__init__(reason)
        self.edit = edit
        self.reason = reason
        self.fix = fix


def edited_events(events: list[bytes], edits: Edits, endpoint: Endpoint, struck: list[FaultRule]) -> list[bytes]:
    """Return the events of a stream with all edits made, in their order.

    Args:
        events: What the codec wrote.
        edits: The edits; one of a rule that finds nothing is passed over.
        endpoint: What was asked for.
        struck: Where rules are noted whose edit was made.

    Raises:
        UnappliedEditError: An edit of the script changes nothing.
    """
    for edit, rule in edits:
        try:
            events = _edit_stream(edit, events, endpoint)
        except UnappliedEditError:
            if rule is None:
                raise
            continue
        if rule is not None and edit.keep_alive is None:
            struck.append(rule)
    return events


def _edit_stream(edit: WireEdit, events: list[bytes], endpoint: Endpoint) -> list[bytes]:
    found = list(events)
    place = None if edit.at is None else _place(edit, edit.at, events)
    concerned = range(len(events)) if place is None else (place,)
    framing = endpoint.framing
    _change(edit, found, concerned, partial(payload_of, framing=framing), partial(with_payload, framing=framing))
    if edit.repeat is not None:
        again = _place(edit, edit.repeat, events)
        found.insert(again, found[again])
    if isinstance(edit.drop, int):
        gone = _place(edit, edit.drop, events)
        del found[gone + (edit.repeat is not None and gone > _place(edit, edit.repeat, events))]
    if edit.comment is not None and edit.keep_alive is None:
        found.insert(place or 0, _comment(edit, edit.comment, endpoint))
    if edit.before is not None:
        is_named = bool(events) and events[0].startswith(b"event:")
        found.insert(0, event_of(edit.before, endpoint.framing, is_named=is_named))
    return found


def _place(edit: WireEdit, number: int, events: Sequence[bytes]) -> int:
    """Return the number of an event, counted from the start."""
    if not -len(events) <= number < len(events):
        raise UnappliedEditError(
            edit,
            f"there is no event {number}: this answer has {len(events)}, from 0 to {len(events) - 1}",
            "the number of one of them; -1 is the last",
        )
    return number % len(events)


def edited_body(body: bytes, edits: Edits, struck: list[FaultRule]) -> bytes:
    """Return a whole answer with all edits made.

    Raises:
        UnappliedEditError: An edit of the script changes nothing, or is one for events.
    """
    before = b""
    for edit, rule in edits:
        try:
            _refuse_events(edit)
            found = [body]
            _change(edit, found, (0,), _read, lambda _, payload: json_bytes(payload))
            body = found[0]
        except UnappliedEditError:
            if rule is None:
                raise
            continue
        if isinstance(edit.before, bytes):
            before = edit.before + before
        if rule is not None and edit.keep_alive is None:
            struck.append(rule)
    return before + body


def _read(body: bytes) -> Any:
    return json.loads(body)


def _refuse_events(edit: WireEdit) -> None:
    """Refuse what only a stream has."""
    events = isinstance(edit.drop, int) or edit.repeat is not None or edit.at is not None
    if events or (edit.comment is not None and edit.keep_alive is None) or isinstance(edit.before, Mapping):
        raise UnappliedEditError(
            edit,
            "it is about events, and this request asked for a whole answer",
            "edit the fields of the whole answer, or ask for a stream",
        )


def _change(
    edit: WireEdit,
    texts: list[bytes],
    concerned: Iterable[int],
    read: Callable[[bytes], Any],
    write: Callable[[bytes, Any], bytes],
) -> None:
    """Drop and set fields in place.

    Raises:
        UnappliedEditError: A path is nowhere.
    """
    wanted: list[tuple[str, Callable[[Any, PathStep], bool]]] = []
    if isinstance(edit.drop, str):
        wanted.append((edit.drop, _drop))
    wanted += [(path, _setter(value)) for path, value in (edit.set or {}).items()]
    if not wanted:
        return
    payloads = {index: payload for index in concerned if (payload := read(texts[index])) is not None}
    paths = sorted({path for payload in payloads.values() for path in _paths(payload)})
    for path, action in wanted:
        steps = parse_path(path)
        hit = [index for index, payload in payloads.items() if _walk(payload, steps, action)]
        if not hit:
            raise _nowhere(edit, path, paths)
        for index in hit:
            texts[index] = write(texts[index], payloads[index])


def _walk(value: Any, steps: Sequence[PathStep], action: Callable[[Any, PathStep], bool]) -> bool:
    """Do something at a path; tells whether the path is there."""
    step, rest = steps[0], steps[1:]
    if not rest:
        if step is None:
            return isinstance(value, list) and _any(action(value, index) for index in reversed(range(len(value))))
        return action(value, step)
    if step is None:
        return isinstance(value, list) and _any(_walk(item, rest, action) for item in value)
    if isinstance(value, dict) and isinstance(step, str) and step in value:
        return _walk(value[step], rest, action)
    if isinstance(value, list) and isinstance(step, int) and step < len(value):
        return _walk(value[step], rest, action)
    return False


def _any(done: Iterable[bool]) -> bool:
    """Tell whether any was done, once all have been tried."""
    return sum(done) > 0


def _drop(parent: Any, step: PathStep) -> bool:
    if (isinstance(parent, dict) and step in parent) or _is_element(parent, step):
        del parent[step]
        return True
    return False


def _setter(value: Any) -> Callable[[Any, PathStep], bool]:
    def put(parent: Any, step: PathStep) -> bool:
        if not (isinstance(parent, dict) and isinstance(step, str)) and not _is_element(parent, step):
            return False
        old = parent.get(step) if isinstance(parent, dict) else parent[step]
        parent[step] = value(old) if callable(value) else value
        return True

    return put


def _is_element(parent: Any, step: PathStep) -> bool:
    return isinstance(parent, list) and isinstance(step, int) and step < len(parent)


def _paths(value: Any, before: str = "") -> Iterator[str]:
    """Yield the path of everything in a document."""
    items: Iterable[tuple[str, Any]] = ()
    if isinstance(value, dict):
        items = ((f"{before}.{name}" if before else str(name), item) for name, item in value.items())
    elif isinstance(value, list):
        items = ((f"{before}[{index}]", item) for index, item in enumerate(value))
    for path, item in items:
        yield path
        yield from _paths(item, path)


def _nowhere(edit: WireEdit, path: str, paths: list[str]) -> UnappliedEditError:
    near = get_close_matches(path, paths, n=1)
    hint = f" Did you mean `{near[0]}`?" if near else ""
    leaves = [each for each in paths if not any(other.startswith((f"{each}.", f"{each}[")) for other in paths)]
    more = f", and {len(leaves) - SHOWN_PATHS} more" if len(leaves) > SHOWN_PATHS else ""
    listed = ", ".join(leaves[:SHOWN_PATHS]) or "no JSON at all"
    return UnappliedEditError(
        edit, f"no part of this answer has `{path}`.{hint}\n\n  it has: {listed}{more}", "a path that the answer has"
    )


def kept_alive(
    steps: Sequence[Step], edits: Edits, endpoint: Endpoint, struck: list[FaultRule], *, is_stream: bool
) -> Iterable[Step]:
    """Return the steps of an answer whose silences are broken by signs of life, where an edit says so.

    Raises:
        UnappliedEditError: The edit is the script's own, and no silence is so long.
    """
    for edit, rule in edits:
        if edit.keep_alive is None:
            continue
        every = round(edit.keep_alive * 1e9)
        if _longest(steps) <= every:
            if rule is not None:
                continue
            raise UnappliedEditError(
                edit,
                f"no silence of this answer is longer than {edit.keep_alive:g} s",
                f"let it be late, as in Reply(text, fault=faults.SlowFirstToken({4 * edit.keep_alive:g}))",
            )
        try:
            sign = Chunk(_sign(edit, endpoint) if is_stream else b"\n")
        except UnappliedEditError:
            if rule is None:
                raise
            continue
        if rule is not None:
            struck.append(rule)
        return _with_signs(_head_first(steps), every, sign)
    return steps


def _sign(edit: WireEdit, endpoint: Endpoint) -> bytes:
    """Return a sign of life: the API's own, or a comment."""
    if edit.comment is None and endpoint.keep_alive is not None:
        return endpoint.keep_alive
    if endpoint.keep_alive is None and endpoint.framing.name != "sse":
        late = f"faults.SlowFirstToken({4 * (edit.keep_alive or 0):g})"
        raise UnappliedEditError(
            edit,
            f"this API has no sign of life, for a stream of {endpoint.framing.name} has no comments",
            f"let the answer be late without one: Reply(text, fault={late})",
        )
    return _comment(edit, edit.comment or "keep-alive", endpoint)


def _comment(edit: WireEdit, text: str, endpoint: Endpoint) -> bytes:
    if endpoint.framing.name != "sse":
        way = "leave `comment` out" if edit.keep_alive is not None else 'WireEdit(before=b"\\n") writes any bytes'
        raise UnappliedEditError(edit, f"a stream of {endpoint.framing.name} has no comments", way)
    return comment_event(text)


def _longest(steps: Sequence[Step]) -> float:
    longest = silence = 0.0
    for step in steps:
        if isinstance(step, Wait):
            silence += float("inf") if step.ns is None else step.ns
        elif isinstance(step, Chunk):
            silence = 0.0
        elif isinstance(step, Failure) and step.kind == "read_timeout":
            return float("inf")
        longest = max(longest, silence)
    return longest


def _head_first(steps: Sequence[Step]) -> list[Step]:
    """Return the steps with the head before any wait: who gives signs of life has answered."""
    head = next(index for index, step in enumerate(steps) if isinstance(step, Head))
    return [steps[head], *steps[:head], *steps[head + 1 :]]


def _with_signs(steps: Iterable[Step], every: int, sign: Chunk) -> Iterator[Step]:
    silence = 0
    for step in steps:
        endless = isinstance(step, Failure) and step.kind == "read_timeout"
        if isinstance(step, Wait) or endless:
            left = AN_HOUR_NS if not isinstance(step, Wait) or step.ns is None else step.ns
            while silence + left > every:
                yield Wait(every - silence)
                yield sign
                left -= every - silence
                silence = 0
            if endless:
                yield step
            elif left:
                yield Wait(left)
                silence += left
            continue
        yield step
        silence = 0
