"""Events of a stream as bytes: where their JSON stands, and how one is written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from llmtest.wire.framing import Framing

__all__ = ["comment_event", "event_of", "json_bytes", "payload_of", "with_payload"]


def _span(event: bytes) -> tuple[int, int] | None:
    """Return where the JSON object of an event stands, however it is framed."""
    start, end = event.find(b"{"), event.rfind(b"}") + 1
    return (start, end) if 0 <= start < end else None


def payload_of(event: bytes, framing: Framing) -> Any:
    """Return the JSON of an event; None where it has none that can be read."""
    if framing.opened is not None:
        event = framing.opened(event) or b""
    span = _span(event)
    if span is None:
        return None
    try:
        return json.loads(event[span[0] : span[1]])
    except ValueError:
        return None


def with_payload(event: bytes, payload: Any, framing: Framing) -> bytes:
    """Return the event with another JSON."""
    if framing.packed is not None:
        return framing.packed(json_bytes(payload))
    span = _span(event)
    assert span is not None
    return event[: span[0]] + json_bytes(payload) + event[span[1] :]


def json_bytes(value: Any) -> bytes:
    """Write compact JSON; half of a surrogate pair, which UTF-8 cannot hold, is escaped."""
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":")).encode()


def event_of(value: Mapping[str, Any] | bytes, framing: Framing, *, is_named: bool) -> bytes:
    """Frame a JSON object as the API does; bytes are framed already.

    Args:
        value: The object.
        framing: How the endpoint cuts its streams.
        is_named: Whether its events have names, which are their `type`.
    """
    if isinstance(value, bytes):
        return value
    payload = json_bytes(value)
    if framing.packed is not None:
        return framing.packed(payload)
    if framing.name != "sse":
        return payload + framing.separator
    name = f"event: {value['type']}\n" if is_named and isinstance(value.get("type"), str) else ""
    return b"%bdata: %b%b" % (name.encode(), payload, framing.separator)


def comment_event(text: str) -> bytes:
    """Write a comment, which a reader of server-sent events passes over."""
    return f": {text}\n\n".encode()
