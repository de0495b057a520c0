"""One recorded exchange, as it was on the wire: no file format, no library."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Headers = dict[str, list[str]]


@dataclass(slots=True)
class RecordedRequest:
    """A request as it was sent: `method`, `uri`, `headers` (each with all its values), `body`."""

    method: str
    uri: str
    headers: Headers = field(default_factory=dict)
    body: bytes = b""

    def json(self) -> Any:
        """Return the body read as JSON.

        Raises:
            ValueError: It is none.
        """
        return json.loads(self.body)


@dataclass(slots=True)
class RecordedResponse:
    """An answer as it came.

    Args:
        status: Status code.
        reason: Reason phrase; empty where none was recorded.
        headers: Headers, each with all its values.
        body: The body, decompressed, in one piece.
        chunks: `(milliseconds since the head, bytes)` of each piece of a streamed body; empty where it came whole.
        complete: False where the client gave up before the end, or the connection broke.
        error: How the connection broke, as the client's library said it: `ReadError: [Errno 104] Connection reset by
            peer`; empty where it did not.
        head_ms: Milliseconds from the request to the head of the answer.
    """

    status: int
    reason: str = ""
    headers: Headers = field(default_factory=dict)
    body: bytes = b""
    chunks: tuple[tuple[int, int], ...] = ()
    complete: bool = True
    error: str = ""
    head_ms: int = 0

    def pieces(self) -> list[tuple[int, bytes]]:
        """Return the body in the pieces in which it came, each with its time in milliseconds since the head.

        Lengths that do not add up to the body (somebody edited the text) are not trusted: the body then comes whole.
        """
        if not self.chunks or sum(length for _, length in self.chunks) != len(self.body):
            return [(0, self.body)] if self.body else []
        pieces, position = [], 0
        for at_ms, length in self.chunks:
            pieces.append((at_ms, self.body[position : position + length]))
            position += length
        return pieces

    def header(self, name: str) -> str | None:
        """Return the first value of a header, whatever its case."""
        return next((values[0] for key, values in self.headers.items() if key.lower() == name and values), None)


@dataclass(slots=True)
class Interaction:
    """A request and its answer.

    Args:
        request: What was sent.
        response: What came back.
        recorded_at: When, as RFC 3339 in UTC; None in files that do not say (vcrpy's own).
        key: Hash under the default match rule, as the file states it; None where it does not.
        number: Its place in the file, from 1; 0 where it is in none yet.
        unknown: Keys of the file that nobody knows, and that replay passes over: `response.note`.
        matches: What a request has to say to get this answer, where no whole request was recorded; see `Loose`.
    """

    request: RecordedRequest
    response: RecordedResponse
    recorded_at: str | None = None
    key: str | None = None
    number: int = 0
    unknown: tuple[str, ...] = ()
    matches: Mapping[str, Any] | None = None
