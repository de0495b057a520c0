"""Amazon's binary event streams, both ways: a prelude, headers, a payload, and checksums over both.

As the specification has it (https://smithy.io/2.0/aws/amazon-eventstream.html), a message is, in big-endian order: its
whole length (4 bytes), the length of its headers (4), CRC-32 of those eight bytes (4), the headers, the payload, CRC-32
of everything before (4). A header is the length of its name (1), the name, its type (1; 7 is a text), the length of its
value (2), the value. What an API streams stands in the payload as base64: `{"bytes": "...", "p": "abc"}`, of which `p`
is padding that hides how long each piece is. Or the payload is the event itself, and its header `:event-type` says
which.
"""

from __future__ import annotations

import binascii
import json
import re
from base64 import b64decode, b64encode
from collections.abc import Mapping
from zlib import crc32

from llmtest.wire.framing._sse import ServerSentEvent

__all__ = [
    "EventStreamParser",
    "event_message",
    "exception_message",
    "message",
    "opened",
    "opened_typed",
    "packed",
    "packed_typed",
]

_TEXT = 7
_TYPED = re.compile(rb'\{\s*"(\w+)"\s*:(.*)\Z', re.DOTALL)
_FIXED = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
"""Types of header values whose length is known."""
_PRELUDE = 12
_LEAST = _PRELUDE + 4
_MOST = 25 << 20
_PADDING = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


def message(headers: Mapping[str, str], payload: bytes) -> bytes:
    """Write one message.

    Args:
        headers: Names, such as `:event-type`, and texts.
        payload: The body, up to 25 MiB.
    """
    written = b"".join(
        bytes((len(name.encode()),)) + name.encode() + bytes((_TEXT,)) + len(text.encode()).to_bytes(2) + text.encode()
        for name, text in headers.items()
    )
    prelude = (_LEAST + len(written) + len(payload)).to_bytes(4) + len(written).to_bytes(4)
    body = prelude + crc32(prelude).to_bytes(4) + written + payload
    return body + crc32(body).to_bytes(4)


def event_message(payload: bytes, kind: str) -> bytes:
    """Write one message that is an event."""
    headers = {":event-type": kind, ":content-type": "application/json", ":message-type": "event"}
    return message(headers, payload)


def exception_message(kind: str, text: str) -> bytes:
    """Write the message that ends a stream which fails.

    Args:
        kind: What failed, such as `throttlingException`.
        text: The words.
    """
    headers = {":exception-type": kind, ":content-type": "application/json", ":message-type": "exception"}
    return message(headers, json.dumps({"message": text}, separators=(",", ":")).encode())


def packed(text: bytes) -> bytes:
    """Write what an API streams as one event: base64 within JSON within a message."""
    padding = _PADDING[: len(text) * 7 % 41 + 2]
    return event_message(b'{"bytes":"%b","p":"%b"}' % (b64encode(text), padding.encode()), "chunk")


def opened(event: bytes) -> bytes | None:
    """Read what an API streams out of one whole event; None where nothing of the kind is in it."""
    (found,) = EventStreamParser().feed(event) or (None,)
    return None if found is None or found.event else found.data.encode()


def opened_typed(event: bytes) -> bytes | None:
    """Read an event whose header says which it is, as `{"contentBlockDelta": {...}}`; None where it is none."""
    (found,) = EventStreamParser().feed(event) or (None,)
    if found is None or found.event in {"", "error"}:
        return None
    return b'{"%b":%b}' % (found.event.encode(), found.data.encode())


def packed_typed(text: bytes) -> bytes:
    """Write such an event; one that is cut off keeps its type."""
    found = _TYPED.match(text)
    if found is None:
        return event_message(text, "chunk")
    try:
        json.loads(text)
    except ValueError:
        return event_message(found[2], found[1].decode())
    return event_message(found[2][:-1], found[1].decode())


class EventStreamParser:
    """Cut a byte stream into events, whatever the boundaries of its pieces.

    An exception becomes an event `error`: `{"type": "error", "error": {"type", "message"}}`. A message whose checksums
    are wrong is an event whose data is no JSON and says so; nothing after it can be told apart, so it is the last.
    """

    __slots__ = ("_broken", "_rest", "saw_event")

    def __init__(self) -> None:
        self._rest = bytearray()
        self._broken = False
        self.saw_event = False
        """Whether any complete event has been delivered."""

    def feed(self, data: bytes) -> list[ServerSentEvent]:
        """Take the next piece; return the events that it completes."""
        found: list[ServerSentEvent] = []
        self._rest += data
        while not self._broken and len(self._rest) >= _PRELUDE:
            size = int.from_bytes(self._rest[:4])
            if crc32(self._rest[:8]) != int.from_bytes(self._rest[8:12]) or not _LEAST <= size <= _MOST:
                found.append(self._break("the prelude of an event fails its checksum"))
                break
            if len(self._rest) < size:
                break
            whole = bytes(self._rest[:size])
            del self._rest[:size]
            if crc32(whole[:-4]) != int.from_bytes(whole[-4:]):
                found.append(self._break("an event fails its checksum"))
                break
            found.append(_event(whole))
            self.saw_event = True
        return found

    def _break(self, why: str) -> ServerSentEvent:
        self._broken = True
        return ServerSentEvent("", f"<{why}>")


def _event(whole: bytes) -> ServerSentEvent:
    length = int.from_bytes(whole[4:8])
    headers = _headers(whole[_PRELUDE : _PRELUDE + length])
    payload = whole[_PRELUDE + length : -4]
    try:
        parsed = json.loads(payload)
        parsed = parsed if isinstance(parsed, dict) else {}
    except ValueError:
        return ServerSentEvent("", payload.decode(errors="replace"))
    kind = headers.get(":exception-type") or headers.get(":error-code")
    if kind is not None:
        words = parsed.get("message") or headers.get(":error-message") or ""
        return ServerSentEvent("error", json.dumps({"type": "error", "error": {"type": kind, "message": words}}))
    try:
        return ServerSentEvent("", b64decode(parsed["bytes"]).decode(errors="replace"))
    except (KeyError, TypeError, binascii.Error):
        return ServerSentEvent(headers.get(":event-type", ""), payload.decode(errors="replace"))


def _headers(raw: bytes) -> dict[str, str]:
    """Read the headers that are texts."""
    found: dict[str, str] = {}
    place = 0
    while place < len(raw):
        end = place + 1 + raw[place]
        name = raw[place + 1 : end].decode(errors="replace")
        kind = raw[end : end + 1]
        place = end + 1
        if not kind:
            break
        if kind[0] in _FIXED:
            place += _FIXED[kind[0]]
            continue
        size = int.from_bytes(raw[place : place + 2])
        if kind[0] == _TEXT:
            found[name] = raw[place + 2 : place + 2 + size].decode(errors="replace")
        place += 2 + size
    return found
