"""Heads of requests, read once: a client on a kept connection sends the same head again and again."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import unquote

import httptools

if TYPE_CHECKING:
    from llmtest.serving._routing import Route
    from llmtest.wire import WireCall

__all__ = ["Heads", "RequestHead", "without_offers"]

MOST_HEADS = 512
MOST_HEAD_BYTES = 8 * 1024
MOST_CALLS = 64
MOST_CALL_BYTES = 16 * 1024

_OFFER = re.compile(rb"(?<=\r\n)upgrade:[^\r\n]*\r\n", re.IGNORECASE)


@dataclass(slots=True)
class RequestHead:
    """A head that needs no special care: HTTP/1.1, kept alive, with a length where there is a body.

    Args:
        raw: The head as the whole machinery may read it.
        method: `POST`.
        path: Path, decoded.
        query: Query string, without the question mark.
        headers: Names in lower case; repeated ones joined by a comma.
        length: Length of the body in bytes.
        route: Where such a request goes, once that has been found out.
        calls: Bodies that came with this head, and what they were understood as; reading depends on nothing else.
    """

    raw: bytes
    method: str
    path: str
    query: str
    headers: dict[str, str]
    length: int
    route: Route | None = None
    calls: dict[bytes, WireCall] = field(default_factory=dict)

    def remember(self, body: bytes, call: WireCall) -> None:
        """Keep what a body was understood as."""
        if len(self.calls) >= MOST_CALLS:
            self.calls.clear()
        if len(body) <= MOST_CALL_BYTES:
            self.calls[body] = call


class _Notes:
    """What the parser tells."""

    def __init__(self) -> None:
        self.url = b""
        self.headers: dict[str, str] = {}
        self.complete = False

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, raw_name: bytes, raw_value: bytes) -> None:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        self.headers[name] = f"{self.headers[name]}, {value}" if name in self.headers else value

    def on_headers_complete(self) -> None:
        self.complete = True


class Heads:
    """The heads that a server has read."""

    def __init__(self) -> None:
        self._known: dict[bytes, RequestHead | bytes] = {}

    def read(self, head: bytes) -> RequestHead | bytes:
        """Read a head, its empty line included; bytes are those that the whole machinery has to look at."""
        known = self._known
        if head in known:
            return known[head]
        found = _read(head)
        if len(known) >= MOST_HEADS:
            known.clear()
        if len(head) <= MOST_HEAD_BYTES:
            known[head] = found
        return found


def without_offers(data: bytes) -> bytes:
    """Take offers to speak something else out of the head that data begin with.

    Java's client makes one on every connection. It may be passed over, but a parser that has seen it takes what follows
    for the other protocol.
    """
    end = data.find(b"\r\n\r\n") + 2
    return _OFFER.sub(b"", data[:end]) + data[end:] if end > 1 else _OFFER.sub(b"", data)


def _read(head: bytes) -> RequestHead | bytes:
    head = without_offers(head)
    notes = _Notes()
    parser = httptools.HttpRequestParser(notes)
    try:
        parser.feed_data(head)
        url = httptools.parse_url(notes.url)
    except (httptools.HttpParserError, httptools.HttpParserUpgrade):
        return head
    headers = notes.headers
    length = headers.get("content-length", "0")
    special = {"expect", "transfer-encoding"} & headers.keys()
    if not notes.complete or special or parser.get_http_version() != "1.1" or not parser.should_keep_alive():
        return head
    if not length.isdecimal() or not url.path:
        return head
    path, query = unquote(url.path.decode("latin-1")), (url.query or b"").decode("latin-1")
    return RequestHead(head, parser.get_method().decode(), path, query, headers, int(length))
