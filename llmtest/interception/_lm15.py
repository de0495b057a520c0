"""Intercept lm15, which writes HTTP to sockets of its own: DSPy 3.4 brings a copy of it, and it may stand alone.

A request is decided about when its transport is asked for the answer, before there is a connection. Read in lm15 as
DSPy 3.4.1 has it: `transports/_sync.py`, `_async.py`, `_exceptions.py`, `_types.py`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from typing import Any

from llmtest.interception._as_httpx2 import Failure, failure_of, network_answer, request_of
from llmtest.interception._decision import carrier_for, decided
from llmtest.interception._http_bytes import Target
from llmtest.interception._replacements import Replacements

__all__ = ["patch_lm15"]


def patch_lm15(transports: Any, patches: Replacements) -> None:
    """Ask the gate in both transports of one copy of the library.

    Args:
        transports: Its module `transports`.
        patches: Where the replaced methods are kept.
    """

    def streaming(real: Any) -> Any:
        def stream(self: Any, request: Any) -> Any:
            exchange = _Exchange(transports, self, request, real)
            carrier = exchange.carrier()
            return real(self, request) if carrier is None else exchange.answer(carrier)

        return stream

    def awaiting(real: Any) -> Any:
        async def _do_stream(self: Any, request: Any) -> Any:
            exchange = _Exchange(transports, self, request, real)
            carrier = exchange.carrier()
            return await (real(self, request) if carrier is None else exchange.answer_async(carrier))

        return _do_stream

    patches.replace(transports.StdlibTransport, "stream", streaming)
    patches.replace(transports.StdlibAsyncTransport, "_do_stream", awaiting)


class _Exchange:
    """One request of a transport, and its answer in the library's own form.

    Args:
        library: The module `transports`.
        transport: Who is about to send.
        request: What.
        real: The transport's own way.
    """

    def __init__(self, library: Any, transport: Any, request: Any, real: Any) -> None:
        self._library = library
        self._transport, self._request, self._real = transport, request, real
        self._target = Target("", "", 0, request.url)
        self._connect = request.connect_timeout or transport._connect_timeout  # noqa: SLF001 - it has no public name
        self._read = request.read_timeout or transport._read_timeout  # noqa: SLF001 - nor has this

    def carrier(self) -> Any:
        """Return who answers it here; None lets it leave.

        Raises:
            HarnessError: The request may not leave.
        """
        if self._transport._closed:  # noqa: SLF001 - the library says so itself
            return None
        target = self._target
        return carrier_for(self._request.method, target.scheme, target.host, target.port, target.path, self)

    def answer(self, carrier: Any) -> Any:
        """Have it answered.

        Raises:
            TransportError: The library's own, where the connection fails.
        """
        try:
            with decided(False):
                response = carrier.handle_request(self._as_httpx2())
        except Exception as error:
            raise self._told(error, in_body=False) from error

        def pieces() -> Iterator[bytes]:
            try:
                yield from response.iter_bytes()
            except Exception as error:
                raise self._told(error, in_body=True) from error

        return self._library.TransportResponse(
            **self._head(response), chunks=pieces(), release=lambda _: response.close()
        )

    async def answer_async(self, carrier: Any) -> Any:
        """Have it answered without blocking.

        Raises:
            TransportError: The library's own, where the connection fails.
        """
        try:
            with decided(False):
                response = await carrier.handle_async_request(self._as_httpx2())
        except Exception as error:
            raise self._told(error, in_body=False) from error

        async def pieces() -> AsyncIterator[bytes]:
            try:
                async with aclosing(response.aiter_bytes()) as found:
                    async for piece in found:
                        yield piece
            except Exception as error:
                raise self._told(error, in_body=True) from error

        async def release(_: bool) -> None:
            await response.aclose()

        return self._library.AsyncTransportResponse(**self._head(response), chunks=pieces(), release=release)

    def _as_httpx2(self) -> Any:
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in self._request.headers]
        return request_of(
            self._request.method,
            self._target.url,
            headers,
            self._request.body or b"",
            connect=self._connect,
            read=self._read,
        )

    def _head(self, response: Any) -> dict[str, Any]:
        # The body is handed over as the library would, without what it was packed in.
        gone = {b"content-encoding", b"transfer-encoding"}
        return {
            "status": response.status_code,
            "reason": response.reason_phrase,
            "headers": [
                (name.decode("latin-1"), value.decode("latin-1"))
                for name, value in response.headers.raw
                if name.lower() not in gone
            ],
            "http_version": "HTTP/1.1",
        }

    def _told(self, error: Exception, *, in_body: bool) -> Exception:
        """Return what the library says of a connection that failed so; another error as it is."""
        library, place = self._library, f"{self._target.host}:{self._target.port}"
        if in_body:
            closed = library.ProtocolError("connection closed before the body was complete")
        else:
            closed = library.ReadError("server closed connection before sending response")
        where = "mid-body" if in_body else "waiting for headers"
        told: dict[Failure | None, Exception] = {
            "connect_timeout": library.ConnectTimeout(f"timed out connecting to {place}"),
            "refused": library.ConnectError(f"failed to connect to {place}: [Errno 111] Connection refused"),
            "silent": library.ReadTimeout(f"read timed out {where}: no bytes for {self._read:g}s"),
            "closed": closed,
            "broken": library.ReadError("read failed: [Errno 104] Connection reset by peer"),
        }
        return told.get(failure_of(error), error)

    # The way to the network, for a gate that listens.

    def handle_request(self, _: Any) -> Any:
        """Send it where it was going."""
        with decided():
            answer = self._real(self._transport, self._request)
        return self._from_network(answer, iter(answer), answer.close)

    async def handle_async_request(self, _: Any) -> Any:
        """Send it where it was going, without blocking."""
        with decided():
            answer = await self._real(self._transport, self._request)
        # Its connection goes back to the pool with the last of its pieces; letting go earlier has to be awaited.
        return self._from_network(answer, aiter(answer), lambda: None)

    def _from_network(self, answer: Any, pieces: Any, close: Any) -> Any:
        # The library has unpacked the body, so that neither its packing nor its length holds any more.
        gone = {"content-encoding", "content-length"}
        headers = [
            (name.encode("latin-1"), value.encode("latin-1"))
            for name, value in answer.headers
            if name.lower() not in gone
        ]
        return network_answer(
            answer.status, answer.reason, headers, pieces=pieces, failure=self._failure_of, close=close
        )

    def _failure_of(self, error: Exception) -> Failure | None:
        if isinstance(error, self._library.ReadTimeout):
            return "silent"
        if isinstance(error, self._library.ProtocolError):
            return "closed"
        return "broken" if isinstance(error, self._library.TransportError) else None
