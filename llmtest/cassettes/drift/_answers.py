"""Two answers to one request compared: what a client reads, not the ids and times that every answer has anew."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from llmtest.cassettes._interactions import Interaction, RecordedResponse
from llmtest.cassettes._reading import is_stream, read, text_of
from llmtest.cassettes.drift._drift import Drift
from llmtest.wire import SseParser

MISSING = object()

ANEW = re.compile(
    r"(?:.*_)?(?:id|ids|index|created|created_at|completed_at|updated_at|expires_at|timestamp|date|time|fingerprint"
    r"|signature|nonce|obfuscation|seed|duration|latency|url|cursor)|(?:.*[a-z])?(?:Id|Time|Signature|Count|Duration)|p"
)
"""Names of fields that no two answers have alike."""
COUNTED = re.compile(r"(?:^|\.)(?:usage|usageMetadata|timings|metrics)(?:\.|$)|(?:tokens|logprobs?|_ms|_duration)$")
"""Places of numbers that differ from answer to answer."""
FREE = re.compile(r"(?:^|\.)(?:arguments|input|args|logprobs|embedding|embeddings|data)(?:\.|\[|$)")
"""Places in which a model, not the API, decides what fields there are."""


def compare_answers(recorded: Interaction, live: Interaction) -> list[Drift]:
    """Return what differs between a recorded answer and a live one to the same request, the gravest first.

    JSON is compared path by path; the elements of a list are taken together, for a model says as much as it likes.
    Streams are compared by the fields that their events have, by kind of event. Headers are not compared.
    """
    before, after = recorded.response, live.response
    found: list[Drift] = []
    if before.status != after.status:
        found.append(Drift("status changed", "response.status", before.status, after.status))
    if is_stream(before) != is_stream(after):
        kinds = ["a stream" if is_stream(each) else "one answer" for each in (before, after)]
        found.append(Drift("type changed", "response.body", *kinds))
    elif is_stream(before):
        found += _compare_events(before, after)
    else:
        left, right = _json(before.body), _json(after.body)
        if left is MISSING and right is MISSING:
            texts = text_of(before.body), text_of(after.body)
            found += [Drift("text changed", "response.body", *texts)] if texts[0] != texts[1] else []
        else:
            found += list(compare_values("response.body", left, right))
    said = read(recorded).answer, read(live).answer
    if is_stream(before) and is_stream(after) and said[0] != said[1]:
        found.append(Drift("text changed", "response.body, what its events say together", *said))
    order = {"breaking": 0, "notable": 1, "usual": 2}
    return sorted(found, key=lambda drift: order[drift.gravity])


def compare_values(path: str, recorded: Any, live: Any) -> Iterator[Drift]:
    """Yield what differs between two values of JSON."""
    waiting: list[tuple[str, Any, Any]] = [(path, recorded, live)]
    while waiting:
        path, before, after = waiting.pop()
        if isinstance(before, dict) and isinstance(after, dict):
            if not FREE.search(path):
                yield from _compare_fields(path, before, after)
            waiting += [(f"{path}.{key}", before[key], after[key]) for key in reversed(before) if key in after]
        elif isinstance(before, list) and isinstance(after, list):
            if before and after and not FREE.search(path):
                waiting.append((f"{path}[*]", _together(before), _together(after)))
        elif _kind(before) != _kind(after):
            # A field that may be null is null in one answer and not in the next.
            if before is not None and after is not None:
                yield Drift("type changed", path, before, after)
        elif before != after and not _is_anew(path):
            yield Drift("text changed" if isinstance(before, str) else "value changed", path, before, after)


def _compare_fields(path: str, before: dict[str, Any], after: dict[str, Any]) -> Iterator[Drift]:
    for key, value in before.items():
        if key not in after:
            yield Drift("field removed", f"{path}.{key}", value)
    for key, value in after.items():
        if key not in before:
            yield Drift("field added", f"{path}.{key}", None, value)


def _together(values: list[Any]) -> Any:
    """Return one value that has every field of the objects in a list, each as the first of them has it."""
    objects = [value for value in values if isinstance(value, dict)]
    if not objects:
        return values[0]
    merged: dict[str, Any] = {}
    for each in objects:
        for key, value in each.items():
            known = merged.get(key)
            if known is None:
                merged[key] = value
            elif isinstance(known, dict) and isinstance(value, dict):
                merged[key] = _together([known, value])
    return merged


def _compare_events(before: RecordedResponse, after: RecordedResponse) -> Iterator[Drift]:
    left, right = _shapes(before.body), _shapes(after.body)
    for kind in left.keys() | right.keys():
        path = f"response.body, events {kind}"
        if kind not in right:
            yield Drift("field removed", path, kind)
        elif kind not in left:
            yield Drift("field added", path, None, kind)
        else:
            # What an event says differs with the cutting; the answer as a whole is compared by the caller.
            found = compare_values(path, left[kind], right[kind])
            yield from (drift for drift in found if drift.kind not in {"text changed", "value changed"})


def _shapes(body: bytes) -> dict[str, Any]:
    """Return for each kind of event of a stream one event that has the fields of all."""
    events = SseParser().feed(body + b"\n\n")
    lines = [(event.event, event.data) for event in events] or [
        ("", line) for line in (text_of(body) or "").split("\n")
    ]
    kinds: dict[str, list[Any]] = {}
    for name, data in lines:
        value = _json(data.encode("utf-8", "surrogateescape"))
        if isinstance(value, dict):
            kind = value.get("type") or value.get("object") or name or "message"
            kinds.setdefault(str(kind), []).append(value)
    return {kind: _together(values) for kind, values in kinds.items()}


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    return "number" if isinstance(value, int | float) else type(value).__name__


def _is_anew(path: str) -> bool:
    return ANEW.fullmatch(path.rpartition(".")[2].partition("[")[0]) is not None or COUNTED.search(path) is not None


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return MISSING
