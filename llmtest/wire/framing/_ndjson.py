"""Lines of JSON, both ways: bytes in any pieces to lines, lines to bytes."""

from __future__ import annotations

from llmtest.wire.framing._sse import ServerSentEvent

__all__ = ["NdjsonParser", "line"]


class NdjsonParser:
    """Cut a byte stream into lines of JSON, whatever the boundaries of its pieces.

    Bytes are decoded per line, so that a letter split over two pieces survives; empty lines are passed over. A last
    line without its line break is never delivered: nobody can tell that it is whole.
    """

    __slots__ = ("_tail", "saw_event")

    def __init__(self) -> None:
        self._tail: list[bytes] = []
        self.saw_event = False
        """Whether any complete line has been delivered."""

    def feed(self, data: bytes) -> list[ServerSentEvent]:
        """Take the next piece; return the lines that it completes, as events without a name."""
        if b"\n" not in data:
            self._tail.append(data)
            return []
        self._tail.append(data)
        *whole, rest = b"".join(self._tail).split(b"\n")
        self._tail = [rest] if rest else []
        found = [ServerSentEvent("", text.decode(errors="replace")) for text in map(bytes.strip, whole) if text]
        self.saw_event = self.saw_event or bool(found)
        return found


def line(data: str) -> bytes:
    """Write one line. `data` must hold no line break, which compact JSON never does."""
    return f"{data}\n".encode()
