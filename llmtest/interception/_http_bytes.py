"""HTTP/1.1 as bytes, seen from the server's side: a request as it is written, an answer as it is read.

Clients of libraries that read bytes themselves (`http.client`, urllib3, aiohttp) are answered in bytes, so that all
their own code runs: the parser, the limits, the pool, the redirects. The gates know requests and answers of httpx2;
here the one becomes the other.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from llmtest.interception._as_httpx2 import request_of

__all__ = ["Framing", "RequestReader", "Target"]

_ENDS_HEAD = b"\r\n\r\n"
_BODILESS = {204, 304}


class Target:
    """Where a request goes.

    Args:
        scheme: `http` or `https`.
        host: Host, without brackets.
        port: Port.
        target: What stands in the first line of the request: a path with a query, or a whole URL on the way to a proxy.
    """

    __slots__ = ("host", "path", "port", "query", "scheme")

    def __init__(self, scheme: str, host: str, port: int, target: str) -> None:
        if target[:8].lower().startswith(("http://", "https://")):
            parts = urlsplit(target)
            scheme = parts.scheme.lower()
            host, port = parts.hostname or "", parts.port or (80 if scheme == "http" else 443)
            target = f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"
        self.scheme, self.host, self.port = scheme, host.strip("[]"), port
        self.path, _, self.query = target.partition("#")[0].partition("?")

    @property
    def url(self) -> str:
        """The URL as a client of httpx2 would have it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        query = f"?{self.query}" if self.query else ""
        return f"{self.scheme}://{host}:{self.port}{self.path}{query}"


class RequestReader:
    """Puts a request together from the pieces in which a client writes it."""

    def __init__(self) -> None:
        self.raw = bytearray()
        self.method = ""
        self.is_complete = False
        self._headers: list[tuple[bytes, bytes]] = []
        self._body_at = 0
        self._length: int | None = 0
        self._chunks = bytearray()
        self._next_chunk_at = 0

    @property
    def expects_continue(self) -> bool:
        """Whether the client waits for a word before it sends the body."""
        return any(name.lower() == b"expect" and b"100-continue" in value.lower() for name, value in self._headers)

    def feed(self, data: bytes | bytearray | memoryview) -> bool:
        """Take what was written; returns whether the request is complete."""
        self.raw += data
        if not self._body_at:
            end = self.raw.find(_ENDS_HEAD)
            if end < 0:
                return False
            self._read_head(end)
        if self._length is None:
            self._read_chunks()
        else:
            self.is_complete = len(self.raw) >= self._body_at + self._length
        return self.is_complete

    def _read_head(self, end: int) -> None:
        first, *lines = bytes(self.raw[:end]).split(b"\r\n")
        self.method = first.split(b" ", 1)[0].decode("ascii", "replace")
        self._body_at = self._next_chunk_at = end + len(_ENDS_HEAD)
        for line in lines:
            name, _, value = line.partition(b":")
            self._headers.append((name, value.strip()))
            lower = name.lower()
            if lower == b"content-length":
                self._length = int(value)
            elif lower == b"transfer-encoding":
                self._length = None

    def _read_chunks(self) -> None:
        while True:
            end = self.raw.find(b"\r\n", self._next_chunk_at)
            if end < 0:
                return
            size = int(self.raw[self._next_chunk_at : end].split(b";")[0], 16)
            after = end + 2 + size + 2
            if len(self.raw) < after:
                return
            if size == 0:
                self.is_complete = True
                return
            self._chunks += self.raw[end + 2 : after - 2]
            self._next_chunk_at = after

    def request(self, target: Target, connect: float | None, read: float | None) -> Any:
        """Return the request in the form of httpx2.

        Args:
            target: Where it goes.
            connect: Seconds in which a connection must be there; None: no limit.
            read: Seconds of silence that the client bears; None: no limit.
        """
        if self._length is None:
            body = bytes(self._chunks)
        else:
            body = bytes(self.raw[self._body_at : self._body_at + self._length])
        # Those that say how the bytes were cut are of this connection alone.
        headers = [each for each in self._headers if each[0].lower() not in {b"transfer-encoding", b"expect"}]
        return request_of(self.method, target.url, headers, body, connect=connect, read=read)


class Framing:
    """How one answer of httpx2 is written.

    A body goes in chunks where its length is not known, one chunk for each piece.

    Args:
        response: The answer.
        method: Method of the request.
    """

    def __init__(self, response: Any, method: str) -> None:
        headers = [(name, value) for name, value in response.headers.raw if name.lower() != b"transfer-encoding"]
        status = response.status_code
        self.has_body = method != "HEAD" and status >= 200 and status not in _BODILESS
        self._chunked = self.has_body and all(name.lower() != b"content-length" for name, _ in headers)
        if self._chunked:
            headers.append((b"Transfer-Encoding", b"chunked"))
        reason = response.extensions.get("reason_phrase") or _reason(status)
        first = b"HTTP/1.1 %d %s\r\n" % (status, reason)
        self.head: bytes = first + b"".join(b"%s: %s\r\n" % each for each in headers) + b"\r\n"

    def piece(self, data: bytes) -> bytes:
        """Return a piece of the body as it is written."""
        if not self.has_body or not data:
            return b""
        return b"%x\r\n%s\r\n" % (len(data), data) if self._chunked else data

    @property
    def end(self) -> bytes:
        """What says that the body is over."""
        return b"0\r\n\r\n" if self._chunked else b""


def _reason(status: int) -> bytes:
    try:
        return HTTPStatus(status).phrase.encode()
    except ValueError:
        return b""
