"""How a streamed answer is cut into events: what every framing can do, and those there are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from llmtest.wire.framing._event_stream import (
    EventStreamParser,
    opened,
    opened_typed,
    packed,
    packed_typed,
)
from llmtest.wire.framing._json_array import JsonArrayParser
from llmtest.wire.framing._ndjson import NdjsonParser
from llmtest.wire.framing._sse import ServerSentEvent, SseParser

__all__ = ["EVENT_STREAM", "FRAMINGS", "JSON_LINES", "NDJSON", "SSE", "TYPED_EVENT_STREAM", "EventParser", "Framing"]


class EventParser(Protocol):
    """Cuts bytes into events."""

    saw_event: bool

    def feed(self, data: bytes) -> list[ServerSentEvent]:
        """Take the next piece; return the events that it completes."""
        ...


@dataclass(frozen=True, slots=True)
class Framing:
    """One way to cut a stream into events.

    Args:
        name: What it is called.
        content_type: Header of an answer that is cut so.
        separator: Bytes that end an event.
        parser: Makes a parser of it.
        starts: Bytes with which a body that is cut so begins, where no other body does.
        opened: Reads the JSON text out of an event in which it does not stand as it is; None where there is none.
        packed: Writes such an event of the JSON text.
    """

    name: str
    content_type: str
    separator: bytes
    parser: Callable[[], EventParser]
    starts: tuple[bytes, ...] = ()
    opened: Callable[[bytes], bytes | None] | None = None
    packed: Callable[[bytes], bytes] | None = None

    def cut_short(self, event: bytes) -> bytes:
        """Return an event whose JSON stops in the middle and whose framing is whole."""
        if self.opened is not None and self.packed is not None:
            inner = self.opened(event) or b"{"
            return self.packed(inner[: max(1, len(inner) // 2)])
        text = event.rstrip(b"\r\n")
        start = max(text.find(b"{"), 0)
        return text[: start + max(1, (len(text) - start) // 2)] + self.separator


SSE = Framing(
    "sse",
    "text/event-stream; charset=utf-8",
    b"\n\n",
    SseParser,
    (b"data:", b"event:", b": ", b"id:", b"retry:"),
)
"""Server-sent events."""

NDJSON = Framing("ndjson", "application/x-ndjson", b"\n", NdjsonParser)
"""One JSON object a line."""

JSON_LINES = Framing("ndjson", "application/stream+json", NDJSON.separator, NDJSON.parser)
"""The same under its older name."""

SSE_CRLF = Framing("sse", "text/event-stream", b"\r\n\r\n", SseParser, SSE.starts)
"""Server-sent events whose lines end as Google ends them."""

JSON_ARRAY = Framing("json_array", "application/json; charset=UTF-8", b"", JsonArrayParser)
"""One array, whose elements are the events."""

EVENT_STREAM = Framing(
    "event_stream", "application/vnd.amazon.eventstream", b"", EventStreamParser, opened=opened, packed=packed
)
"""Amazon's binary messages."""

TYPED_EVENT_STREAM = Framing(
    "event_stream", EVENT_STREAM.content_type, b"", EventStreamParser, opened=opened_typed, packed=packed_typed
)
"""The same, of events whose headers say which they are."""

FRAMINGS = (SSE, NDJSON, JSON_LINES, EVENT_STREAM)
