"""A JSON array that arrives element by element, both ways."""

from __future__ import annotations

import re

from llmtest.wire.framing._sse import ServerSentEvent

__all__ = ["JsonArrayParser"]

_MARK = re.compile(rb'["\\{}\[\]]')


class JsonArrayParser:
    """Cut an array of objects into its elements, whatever the boundaries of the pieces.

    An object that is no element of an array is one as well, as some servers send an error.
    """

    __slots__ = ("_depth", "_quoted", "_rest", "_seen", "_start", "saw_event")

    def __init__(self) -> None:
        self._rest = b""
        self._seen = 0
        self._start = -1
        self._depth = 0
        self._quoted = False
        self.saw_event = False
        """Whether any complete element has been delivered."""

    def feed(self, data: bytes) -> list[ServerSentEvent]:
        """Take the next piece; return the elements that it completes, as events without a name."""
        self._rest += data
        found: list[ServerSentEvent] = []
        place = self._seen
        while (mark := _MARK.search(self._rest, place)) is not None:
            place = mark.end()
            sign = mark[0]
            if self._quoted:
                if sign == b"\\":
                    if place >= len(self._rest):
                        place -= 1  # What is escaped has not come yet.
                        break
                    place += 1
                elif sign == b'"':
                    self._quoted = False
            elif sign == b'"':
                self._quoted = self._depth > 0
            elif sign == b"{" or (sign == b"[" and self._depth):
                if not self._depth:
                    self._start = mark.start()
                self._depth += 1
            elif sign in b"]}" and self._depth:
                self._depth -= 1
                if not self._depth:
                    text = self._rest[self._start : place].decode(errors="replace")
                    found.append(ServerSentEvent("", text))
        self._seen = place if mark is not None else len(self._rest)
        keep = self._start if self._depth else self._seen
        self._rest = self._rest[keep:]
        self._seen -= keep
        self._start = 0
        self.saw_event = self.saw_event or bool(found)
        return found
