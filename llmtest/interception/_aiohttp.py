"""Intercept aiohttp: its sessions, connectors and what is derived from them.

A request is decided about where its connector is asked for a connection. Where somebody answers it here, the connector
makes one in memory, under its own limits and traces; the session writes to it, and the library's own parser, limits,
redirects and errors run on what comes back.
"""

from __future__ import annotations

import math
from contextvars import ContextVar
from functools import cache
from typing import Any

from llmtest.interception._aiohttp_transport import MemoryTransport
from llmtest.interception._as_httpx2 import Failure, network_answer
from llmtest.interception._decision import carrier_for
from llmtest.interception._http_bytes import Target
from llmtest.interception._replacements import Replacements

__all__ = ["patch_aiohttp"]

_A_MOMENT = 1e-9
"""Seconds by which an answer is given up before aiohttp's own limit for the whole request ends it."""


class _Diversion:
    """A request on its way to whoever answers it here."""

    def __init__(self, carrier: Any, request: Any, target: Target, timeout: Any) -> None:
        self.carrier = carrier
        self.request = request
        self.target = target
        self.connect = min((each for each in (timeout.connect, timeout.sock_connect) if each), default=None)
        self.read = timeout.sock_read or None
        self.ends_with_total = False
        left = _left_of(timeout, request.loop)
        if left is not None and (self.read is None or left < self.read):
            self.read, self.ends_with_total = left, True


_diverted: ContextVar[_Diversion | None] = ContextVar("llmtest_aiohttp_diverted", default=None)


def _left_of(timeout: Any, loop: Any) -> float | None:
    """Return the seconds of a limit for the whole request, rounded up as aiohttp does."""
    total = timeout.total
    if not total or total <= 0:
        return None
    now: float = loop.time()
    end: float = now + total
    return (math.ceil(end) if total > timeout.ceil_threshold else end) - now - _A_MOMENT


def patch_aiohttp(patches: Replacements) -> None:
    """Ask the gate in every connector."""
    import aiohttp

    connector = aiohttp.BaseConnector
    patches.replace(connector, "connect", lambda real: _connecting(real, patches))
    patches.replace(connector, "_get", _reusing)
    patches.replace(aiohttp.ClientResponse, "start", _starting)


def _connecting(real: Any, patches: Replacements) -> Any:
    async def connect(self: Any, req: Any, traces: Any, timeout: Any) -> Any:  # noqa: ASYNC109 - aiohttp's own name
        url = req.url
        target = Target(url.scheme, url.host or "", url.port or 443, url.raw_path_qs)
        onward = _Onward(self, req, traces, timeout)
        carrier = carrier_for(req.method, target.scheme, target.host, target.port, url.path, onward)
        if carrier is None:
            return await real(self, req, traces, timeout)
        owner = next(each for each in type(self).__mro__ if "_create_connection" in each.__dict__)
        patches.replace(owner, "_create_connection", _creating)
        token = _diverted.set(_Diversion(carrier, req, target, timeout))
        try:
            return await real(self, req, traces, timeout)
        finally:
            _diverted.reset(token)

    return connect


def _reusing(real: Any) -> Any:
    async def _get(self: Any, *args: Any, **options: Any) -> Any:
        return None if _diverted.get() is not None else await real(self, *args, **options)

    return _get


def _creating(real: Any) -> Any:
    async def _create_connection(self: Any, req: Any, traces: Any, timeout: Any) -> Any:  # noqa: ASYNC109 - see above
        diversion = _diverted.get()
        if diversion is None:
            return await real(self, req, traces, timeout)
        handler = _handler_class()(self._loop)
        handler.connection_made(MemoryTransport(self._loop, handler, diversion))
        handler.force_close()  # A pool that kept it would have it after the simulation.
        return handler

    return _create_connection


def _starting(real: Any) -> Any:
    async def start(self: Any, connection: Any) -> Any:
        transport = connection.transport
        if isinstance(transport, MemoryTransport):
            waiting, self._continue = self._continue, None
            if waiting is not None and not waiting.done():
                waiting.set_result(True)
            await transport.answer()
        return await real(self, connection)

    return start


@cache
def _handler_class() -> Any:
    from aiohttp.client_proto import ResponseHandler

    class MemoryHandler(ResponseHandler):
        """The client's end of a connection in memory, whose silence the answer itself measures."""

        def _reschedule_timeout(self) -> None:
            """Nothing: the limit is known to who answers."""

        def set_exception(self, exc: Any, *cause: Any) -> None:
            super().set_exception(exc, *cause)
            if isinstance(self.transport, MemoryTransport):
                self.transport.wake()

    return MemoryHandler


class _Onward:
    """The connector's own way to the network, for a gate that listens."""

    def __init__(self, connector: Any, request: Any, traces: Any, timeout: Any) -> None:
        self._connector = connector
        self._request = request
        self._traces, self._timeout = traces, timeout

    def handle_request(self, request: Any) -> Any:
        raise NotImplementedError("aiohttp has no blocking way to send")

    async def handle_async_request(self, request: Any) -> Any:
        token = _diverted.set(None)
        try:
            protocol = await self._connector._create_connection(self._request, self._traces, self._timeout)  # noqa: SLF001 - where connectors differ
        finally:
            _diverted.reset(token)
        protocol.set_response_params(
            skip_payload=request.method == "HEAD",
            read_until_eof=True,
            auto_decompress=False,
            read_timeout=self._timeout.sock_read,
        )
        proxied = self._request.proxy and request.url.scheme == "http"
        where = str(request.url).encode("ascii") if proxied else request.url.raw_path
        headers = b"".join(b"%s: %s\r\n" % each for each in request.headers.raw)
        body = await request.aread()
        protocol.transport.write(b"%s %s HTTP/1.1\r\n%s\r\n%s" % (request.method.encode(), where, headers, body))
        try:
            message, payload = await protocol.read()
        except BaseException:
            protocol.close()
            raise
        return network_answer(
            message.code,
            message.reason or "",
            message.raw_headers,
            pieces=payload.iter_any(),
            failure=_failure_of,
            close=protocol.close,
        )


def _failure_of(error: Exception) -> Failure | None:
    import aiohttp

    if isinstance(error, aiohttp.ServerTimeoutError):
        return "silent"
    if isinstance(error, aiohttp.ClientPayloadError):
        return "closed"
    return "broken" if isinstance(error, aiohttp.ClientError | OSError) else None
