"""What a test writes instead of a reply that is none: a mapping, a list, a number, an exception."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from llmtest.faults import Fault
from llmtest.faults._nearest_fault import fault_meant

__all__ = ["instead_of"]

LONGEST = 200
"""Characters of a value that are shown; of a longer one the form alone is told."""

BODIES = frozenset({"choices", "candidates", "content", "message", "object", "data"})
"""Keys by which the body of an answer is known; any other mapping is what a model says."""


def instead_of(reply: Any) -> str:
    """Return what a test writes for a value that `replies()` does not take; it is taken as it stands.

    Args:
        reply: The value: a mapping is the JSON that a model writes, or the body of an answer; a list is several
            replies; an exception is a fault.
    """
    if isinstance(reply, Fault | BaseException) or (
        isinstance(reply, type) and issubclass(reply, BaseException | Fault)
    ):
        return f"fails(faults.{fault_meant(reply)})"
    if isinstance(reply, bytes | bytearray):
        return _short(f"replies(Raw(body={bytes(reply)!r}))", "replies(Raw(body=value))")
    if isinstance(reply, list | tuple) and reply and all(isinstance(each, str) for each in reply):
        return _short(f"replies({', '.join(map(repr, reply))})", "replies(*value)")
    if isinstance(reply, Mapping | list | tuple):
        return _json(reply)
    if isinstance(reply, bool) or reply is None or not isinstance(reply, int | float):
        return 'replies("Paris")'
    return f'replies("{reply}")'


def _json(reply: Any) -> str:
    is_body = isinstance(reply, Mapping) and not BODIES.isdisjoint(reply)
    try:
        text = json.dumps(reply, ensure_ascii=False)
    except (TypeError, ValueError):
        return 'replies("Paris")'
    if is_body:
        return _short(f"replies(Json({reply!r}))", "replies(Json(value))")
    return _short(f"replies({text!r})", "replies(json.dumps(value))")


def _short(code: str, form: str) -> str:
    return code if len(code) <= LONGEST else form
