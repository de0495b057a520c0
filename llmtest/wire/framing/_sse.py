"""Server-sent events, both ways: bytes in any pieces to events, events to bytes."""

from __future__ import annotations

from typing import NamedTuple

_BOM = b"\xef\xbb\xbf"


class ServerSentEvent(NamedTuple):
    """One event as it was framed. `event` is empty where the stream names none."""

    event: str
    data: str


class SseParser:
    """Cut a byte stream into events, whatever the boundaries of its pieces.

    Lines may end in CR, LF or CRLF, also with a piece ending between the two; a byte order mark at the start, comments,
    `id` and `retry` are skipped. Bytes are decoded per line, so that a letter split over two pieces survives. An event
    without the blank line that ends it is never delivered, as the standard asks.
    """

    __slots__ = ("_data", "_event", "_first_line", "_skip_lf", "_tail", "saw_event")

    def __init__(self) -> None:
        self._tail: list[bytes] = []
        self._event = ""
        self._data: list[str] = []
        self._skip_lf = False
        self._first_line = True
        self.saw_event = False
        """Whether any complete event has been delivered."""

    def feed(self, data: bytes) -> list[ServerSentEvent]:
        """Take the next piece; return the events that it completes."""
        if self._skip_lf and data:
            self._skip_lf = False
            if data[0] == 10:
                data = data[1:]
        if not data:
            return []
        if b"\n" not in data and b"\r" not in data:
            self._tail.append(data)
            return []
        self._skip_lf = data[-1] == 13
        if self._tail:
            self._tail.append(data)
            data = b"".join(self._tail)
            self._tail.clear()
        lines = data.splitlines(keepends=True)
        if lines[-1][-1] not in {10, 13}:
            self._tail.append(lines.pop())
        events: list[ServerSentEvent] = []
        for line in lines:
            self._take(line.rstrip(b"\r\n"), events)
        return events

    def _take(self, line: bytes, events: list[ServerSentEvent]) -> None:
        if self._first_line:
            self._first_line = False
            line = line.removeprefix(_BOM)
        if not line:
            if self._data:
                events.append(ServerSentEvent(self._event, "\n".join(self._data)))
                self._data.clear()
                self.saw_event = True
            self._event = ""
            return
        name, _, value = line.partition(b":")
        if name == b"data":
            self._data.append(value.removeprefix(b" ").decode(errors="replace"))
        elif name == b"event":
            self._event = value.removeprefix(b" ").decode(errors="replace")


def frame(data: str, event: str | None = None) -> bytes:
    """Frame one event. `data` must hold no line break, which compact JSON never does."""
    text = f"data: {data}\n\n" if event is None else f"event: {event}\ndata: {data}\n\n"
    return text.encode()
