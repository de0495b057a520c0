"""Intercept `http.client`, and with it `urllib.request` and what else is built upon it.

A request is decided about when its first line is written; where somebody answers it here, the connection gets a socket
in memory, and nothing connects. The library parses the answer itself.
"""

from __future__ import annotations

import http.client
import socket
from collections.abc import Callable, Iterator
from typing import Any
from weakref import WeakSet

from llmtest.interception._as_httpx2 import Failure, network_answer
from llmtest.interception._decision import carrier_for, is_decided
from llmtest.interception._gates import current_gate, is_loopback
from llmtest.interception._http_bytes import Target
from llmtest.interception._memory_socket import ConnectErrors, MemorySocket
from llmtest.interception._replacements import Replacements

__all__ = ["divert", "patch_http_client", "release_connections"]

_READ_AT_ONCE = 65536
_LEAVES = "_llmtest_leaves"
"""Attribute of connections whose request goes to the network."""
_diverted: WeakSet[Any] = WeakSet()
"""Connections that were given a socket in memory."""


class _SocketErrors:
    """The errors of a bare socket."""

    def refused(self, error: OSError) -> Exception:
        return error

    def timed_out(self) -> Exception:
        return TimeoutError("timed out")


def divert(
    connection: Any,
    method: str,
    target: Target,
    *,
    connect: float | None,
    read: float | None,
    errors: ConnectErrors | None = None,
    open_connection: Callable[[], None] | None = None,
) -> bool:
    """Give a connection a socket in memory where its next request is answered here; returns whether that is so.

    Args:
        connection: The connection, of `http.client` or of urllib3.
        method: Method of the request.
        target: Where it goes.
        connect: Seconds in which a connection must be there; None: no limit.
        read: Seconds of silence that the client bears; None: no limit.
        errors: How the library tells that no connection came about; by default as a socket does.
        open_connection: Connects to the network, for a gate that listens; by default the connection's own way.

    Raises:
        HarnessError: The request may not leave.
    """
    before = connection.sock.before if isinstance(connection.sock, MemorySocket) else connection.sock
    onward = _Onward(connection, read, open_connection or connection.connect)
    carrier = carrier_for(method, target.scheme, target.host, target.port, target.path, onward)
    if carrier is None:
        connection.sock = before
        connection.__dict__[_LEAVES] = True
        return False
    connection.sock = MemorySocket(
        carrier,
        target,
        connect=connect,
        read=read,
        errors=errors or _SocketErrors(),
        is_sent=lambda: onward.is_sent,
        before=before,
    )
    _diverted.add(connection)
    return True


def patch_http_client(patches: Replacements) -> None:
    """Ask the gate before a request is written."""
    plain, secure = _own_class(http.client.HTTPConnection), _own_class(http.client.HTTPSConnection)
    patches.replace(plain, "putrequest", _writing)
    patches.replace(plain, "getresponse", _reading)
    patches.replace(plain, "connect", _connecting)
    patches.replace(secure, "connect", _connecting)


def _own_class(found: Any) -> Any:
    """Return a class of `http.client` itself: while a cassette of vcrpy is in use a stand-in has its name."""
    return getattr(found, "_baseclass", found)


def release_connections() -> None:
    """Give every connection that is still there the socket back that it had."""
    for connection in list(_diverted):
        _restore(connection)
    _diverted.clear()


def _restore(connection: Any) -> None:
    if isinstance(connection.sock, MemorySocket):
        connection.sock = connection.sock.before


def _writing(real: Any) -> Any:
    def putrequest(self: Any, method: str, url: str, *args: Any, **options: Any) -> Any:
        if not is_decided():
            limit = self.timeout if isinstance(self.timeout, int | float | None) else socket.getdefaulttimeout()
            divert(self, method, _target_of(self, url), connect=limit, read=limit)
        return real(self, method, url, *args, **options)

    return putrequest


def _connecting(real: Any) -> Any:
    def connect(self: Any) -> Any:
        # Who connects before there is a request has nothing to ask for yet; the first line of one will decide.
        gate = None if self.__dict__.pop(_LEAVES, False) or is_decided() else current_gate()
        host = _target_of(self, "/").host
        if gate is None or is_loopback(host) or not gate.answers(host):
            return real(self)
        return None

    return connect


def _reading(real: Any) -> Any:
    def getresponse(self: Any, *args: Any, **options: Any) -> Any:
        try:
            return real(self, *args, **options)
        finally:
            _restore(self)  # One socket in memory is one request; the answer holds its own end of it.

    return getresponse


def _target_of(connection: Any, url: str) -> Target:
    tunnel = getattr(connection, "_tunnel_host", None)
    if tunnel:
        return Target("https", tunnel, connection._tunnel_port or 443, url or "/")  # noqa: SLF001 - it has no public name
    scheme = "https" if connection.default_port == http.client.HTTPS_PORT else "http"
    return Target(scheme, connection.host, connection.port or connection.default_port, url or "/")


class _Onward:
    """A connection's own way to the network, for a gate that listens."""

    def __init__(self, connection: Any, read: float | None, open_connection: Callable[[], None]) -> None:
        self._connection = connection
        self._read = read
        self._open = open_connection
        self.is_sent = False

    def handle_request(self, request: Any) -> Any:
        connection, memory = self._connection, self._connection.sock
        connection.sock, memory.before = memory.before, None
        try:
            if connection.sock is None:
                self._open()
            real = connection.sock
        finally:
            connection.sock = memory
        memory.before = real
        real.settimeout(self._read)
        self.is_sent = True
        real.sendall(bytes(memory.request.raw))
        answer = http.client.HTTPResponse(real, method=request.method)
        answer.begin()
        return network_answer(
            answer.status,
            answer.reason,
            [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.getheaders()],
            pieces=_pieces_of(answer),
            failure=_failure_of,
            close=answer.close,
        )

    async def handle_async_request(self, request: Any) -> Any:
        return self.handle_request(request)


def _pieces_of(answer: http.client.HTTPResponse) -> Iterator[bytes]:
    while piece := answer.read1(_READ_AT_ONCE):
        yield piece
    if answer.length:  # the other end has closed before all was said, which `read1` does not tell
        raise http.client.IncompleteRead(b"", answer.length)


def _failure_of(error: Exception) -> Failure | None:
    if isinstance(error, http.client.HTTPException):
        return "closed"
    return "silent" if isinstance(error, TimeoutError) else "broken" if isinstance(error, OSError) else None
