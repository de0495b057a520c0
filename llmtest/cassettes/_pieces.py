"""What a stream says in pieces: a field of its events, read together, and where each piece stands in the body."""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from llmtest.cassettes._redaction import Redactor

TOKEN = re.compile(r'"(?:[^"\\\n]|\\.)*"|[{}\[\],:]|-?\d+|\n(?=(?:data|event|id|retry):)')
UNIT = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\.|.", re.DOTALL)
"""One letter as JSON writes it."""
APART = frozenset({"index", "output_index", "content_index", "summary_index"})
"""Fields that tell what comes by turns apart: two calls, two answers."""

Place = tuple[str, ...]


@dataclass(slots=True)
class _Open:
    """An object or a list that is being read."""

    path: Place
    is_object: bool
    name: str | None = None
    waits: bool = False
    number: str = ""
    leaves: list[list[Any]] = field(default_factory=list)


def said_in_pieces(text: str) -> Iterator[list[tuple[int, int]]]:
    """Yield for each field that several events have where its pieces stand in the body, without their quotes."""
    fields: dict[tuple[Place, str], list[tuple[int, int]]] = {}
    for path, number, start, end in _leaves(text):
        fields.setdefault((path, number), []).append((start, end))
    for pieces in fields.values():
        if len(pieces) > 1 and len({text[start:end] for start, end in pieces[:8]}) > 1:
            yield pieces


def _leaves(text: str) -> Iterator[tuple[Place, str, int, int]]:
    """Yield `(path, numbers, start, end)` of each text in the JSON of a body, whatever stands between its events."""
    stack: list[_Open] = []
    for match in TOKEN.finditer(text):
        sign = match[0]
        if sign == "\n":
            stack.clear()  # an event that was cut off ends with its line
        elif sign in "{[":
            path = (*stack[-1].path, stack[-1].name or "") if stack else ()
            stack.append(_Open(path, sign == "{"))
        elif stack and sign in "}]":
            yield from _closed(stack)
        elif stack and sign in ",:":
            stack[-1].waits = sign == ":"
        elif stack:
            _read(stack[-1], match)


def _read(top: _Open, match: re.Match[str]) -> None:
    """Keep a text or a number of the object that is being read."""
    sign = match[0]
    if sign[0] != '"':
        if top.waits and top.name in APART:
            top.number += f"{top.name}={sign};"
    elif top.is_object and not top.waits:
        top.name = sign[1:-1]
    else:
        top.leaves.append([(*top.path, top.name or ""), "", match.start() + 1, match.end() - 1])


def _closed(stack: list[_Open]) -> Iterator[tuple[Place, str, int, int]]:
    """Hand the texts of what has ended to what it stood in; yield those of a whole event."""
    closed = stack.pop()
    if closed.number:
        for leaf in closed.leaves:
            leaf[1] = closed.number + leaf[1]
    if stack and (len(stack) > 1 or stack[0].is_object):
        stack[-1].leaves += closed.leaves
        stack[-1].waits = False
    else:  # an event, in a stream or in a list of them
        yield from ((path, number, start, end) for path, number, start, end in closed.leaves)


def split_spans(text: str, redactor: Redactor) -> list[tuple[int, int, str]]:
    """Return `(start, end, placeholder)` of the parts of credentials that a stream brings in pieces.

    The placeholder stands where the credential begins; its other parts are replaced by nothing.
    """
    found: list[tuple[int, int, str]] = []
    for pieces in said_in_pieces(text):
        parts = [_said(text[start:end]) for start, end in pieces]
        starts = [0]
        for part in parts:
            starts.append(starts[-1] + len(part))
        for first, last, placeholder in redactor.spans("".join(parts)):
            at, until = bisect_right(starts, first) - 1, bisect_right(starts, last - 1) - 1
            for number in range(at, until + 1) if at != until else ():
                begin, end = pieces[number]
                raw = _places(text[begin:end])
                low, high = max(first - starts[number], 0), min(last - starts[number], len(parts[number]))
                if low < high:
                    found.append((begin + raw[low], begin + raw[high], placeholder if number == at else ""))
    return sorted(found)


def _said(raw: str) -> str:
    try:
        return str(json.loads(f'"{raw}"', strict=False))
    except ValueError:
        return raw


def _places(raw: str) -> list[int]:
    """Return where each letter of a text stands in how JSON writes it, and where it ends."""
    if "\\" not in raw:
        return list(range(len(raw) + 1))
    return [*(match.start() for match in UNIT.finditer(raw)), len(raw)]
