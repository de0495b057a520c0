"""Carry a plan to a client of `httpx` or `httpx2`: its waits, its bytes, its failures in the library's own words.

The texts are those that httpcore's transports raise (wire facts observed on openai 3.52 and anthropic 2.11, whose own
exceptions follow from the class): a client cannot tell a simulated failure from a real one.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache, lru_cache
from typing import Any, ClassVar

from llmtest.clock import SystemClock, wait_for_ever
from llmtest.errors import VirtualTimeStalledError
from llmtest.interception import SIMULATED
from llmtest.simulation._provider import SimulatedProvider
from llmtest.simulation._world import World
from llmtest.simulation.plan._performance import FOREVER, Performance, TransportFault
from llmtest.simulation.plan._plan import Exchange, Head, Plan
from llmtest.types import Timeouts
from llmtest.wire import Headers

__all__ = ["carrier_class"]

NO_TIME = timedelta()
MOST_LINES = 1024
MOST_HEADS = 64
EXTENSIONS = {"http_version": b"HTTP/1.1"}

FAULTS: dict[str, tuple[str, str]] = {
    "connect_refused": ("ConnectError", "[Errno 111] Connection refused"),
    "connect_timeout": ("ConnectTimeout", "timed out"),
    "read_timeout": ("ReadTimeout", "The read operation timed out"),
    "reset": ("ReadError", "[Errno 104] Connection reset by peer"),
    "closed": ("RemoteProtocolError", "Server disconnected without sending a response."),
    "incomplete": (
        "RemoteProtocolError",
        "peer closed connection without sending complete message body (incomplete chunked read)",
    ),
}
"""Failure of a connection: the exception of the client's library, and its text."""


class _Lines(dict[tuple[bytes, bytes], tuple[str, str]]):
    """Headers of requests, decoded once and kept once: a client sends the same few with every request."""

    def __missing__(self, raw: tuple[bytes, bytes]) -> tuple[str, str]:
        name, value = raw
        line = name.decode("ascii").lower(), value.decode("latin-1")
        if len(self) < MOST_LINES:
            self[raw] = line
        return line


def _headers_of(raw: Sequence[tuple[bytes, bytes]], lines: _Lines) -> dict[str, str]:
    headers = dict(map(lines.__getitem__, raw))
    if len(headers) < len(raw):
        headers.clear()
        for each in raw:
            name, value = lines[each]
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


@dataclass(frozen=True, slots=True)
class _Common:
    """Headers that many answers share, in the form of the client's library."""

    headers: Any
    names: frozenset[str]
    is_encoded: bool


@lru_cache(maxsize=64)
def _timeouts_of(connect: float | None, read: float | None) -> Timeouts:
    return Timeouts(connect=connect, read=read)


class _Body:
    """The body of an answer, piece by piece, in the time it takes."""

    def __init__(self, carrier: _Carrier, performance: Performance, actions: Iterator[Any], request: Any) -> None:
        self._carrier, self._performance = carrier, performance
        self._actions, self._request = actions, request

    def __iter__(self) -> Iterator[bytes]:
        carrier = self._carrier
        try:
            for action in self._actions:
                if isinstance(action, int):
                    carrier.wait(action)
                else:
                    yield action.data
        except TransportFault as fault:
            raise carrier.error_of(fault, self._request) from None

    async def __aiter__(self) -> AsyncIterator[bytes]:
        carrier = self._carrier
        try:
            for action in self._actions:
                if isinstance(action, int):
                    await carrier.wait_async(action)
                else:
                    yield action.data
        except TransportFault as fault:
            raise carrier.error_of(fault, self._request) from None

    def close(self) -> None:
        self._performance.abandon()

    async def aclose(self) -> None:
        self._performance.abandon()

    def __del__(self) -> None:
        self._performance.abandon()


class _Carrier:
    """Carries requests to one simulated provider at one origin; `carrier_class` makes it a transport of a library."""

    library: ClassVar[Any]
    body_class: ClassVar[type[_Body]]

    def __init__(self, world: World, provider: SimulatedProvider, scheme: str, host: str, port: int) -> None:
        self._world = world
        self._provider = provider
        self._clock = world.clock
        self._scheme, self._host, self._port = scheme, host, port
        self._lines = _Lines()
        self._heads: dict[Headers, _Common] = {}

    def handle_request(self, request: Any) -> Any:
        exchange = self._exchange(request, request.read())
        plan = self._provider.receive(exchange)
        if (whole := plan.at_once()) is not None:
            return self._delivered(plan, *whole)
        performance = Performance(plan, exchange.timeouts)
        actions = performance.actions()
        try:
            for action in actions:
                if isinstance(action, int):
                    self.wait(action)
                elif isinstance(action, Head):
                    return self._response(action, performance, actions, request)
        except TransportFault as fault:
            raise self.error_of(fault, request) from None
        except BaseException as error:
            performance.abandon(error)
            raise
        raise AssertionError("a plan without a head ends in a failure")

    async def handle_async_request(self, request: Any) -> Any:
        exchange = self._exchange(request, await request.aread())
        plan = self._provider.receive(exchange)
        if (whole := plan.at_once()) is not None:
            return self._delivered(plan, *whole)
        performance = Performance(plan, exchange.timeouts)
        actions = performance.actions()
        try:
            for action in actions:
                if isinstance(action, int):
                    await self.wait_async(action)
                elif isinstance(action, Head):
                    return self._response(action, performance, actions, request)
        except TransportFault as fault:
            raise self.error_of(fault, request) from None
        except BaseException as error:
            performance.abandon(error)
            raise
        raise AssertionError("a plan without a head ends in a failure")

    def _exchange(self, request: Any, body: bytes) -> Exchange:
        """Read a request of either library."""
        url = request.url
        limits = request.extensions.get("timeout") or {}
        return Exchange(
            request.method,
            self._scheme,
            self._host,
            self._port,
            url.path,
            url.query.decode("ascii"),
            _headers_of(request.headers.raw, self._lines),
            body,
            _timeouts_of(limits.get("connect"), limits.get("read")),
        )

    def _delivered(self, plan: Plan, head: Head, data: bytes) -> Any:
        """Return an answer that has arrived in full, and read as far as a client can read it at no cost.

        That is most answers, and carrying them step by step costs as much as everything else the simulation does.
        """
        library = self.library
        stream = library.ByteStream(data)
        common = self._common(head.headers)
        name, value = head.headers[-1]
        if name in common.names or not value.isascii():
            response = library.Response(head.status, headers=head.headers, stream=stream, extensions=EXTENSIONS)
        else:
            response = library.Response(head.status, headers=common.headers, stream=stream, extensions=EXTENSIONS)
            response.headers[name] = value
        if not common.is_encoded and name != "content-encoding":
            response._content = data  # noqa: SLF001 - what `read` keeps, in both libraries
        response.elapsed = NO_TIME
        plan.on_end(plan.outcome)
        return response

    def _common(self, headers: Headers) -> _Common:
        """Return all headers but the last, which is that of one answer alone, as the library reads them."""
        shared = headers[:-1]
        common = self._heads.get(shared)
        if common is None:
            if len(self._heads) == MOST_HEADS:
                self._heads.clear()
            names = frozenset(name.lower() for name, _ in shared)
            common = self._heads[shared] = _Common(self.library.Headers(shared), names, "content-encoding" in names)
        return common

    def _response(self, head: Head, performance: Performance, actions: Iterator[Any], request: Any) -> Any:
        return self.library.Response(
            head.status,
            headers=head.headers,
            stream=self.body_class(self, performance, actions, request),
            extensions=EXTENSIONS,
        )

    def error_of(self, fault: TransportFault, request: Any) -> Exception:
        """Return the library's own exception for a fault."""
        name, text = FAULTS[fault.kind]
        error: Exception = getattr(self.library, name)(text, request=request)
        return error

    def wait(self, ns: int) -> None:
        """Let time pass, blocking."""
        if ns != FOREVER:
            self._clock.sleep_ns(ns)
            return
        if isinstance(self._clock, SystemClock):
            while True:
                self._clock.sleep(3600.0)
        raise self._world.record_harness_error(
            VirtualTimeStalledError(
                f"`{self._provider.name}` never answers, and the client has no read timeout: this call would hang.\n\n"
                "To fix: give the client a timeout."
            )
        )

    async def wait_async(self, ns: int) -> None:
        """Let time pass, suspending."""
        if ns == FOREVER:
            await wait_for_ever()
        await self._clock.sleep_async_ns(ns)


@cache
def carrier_class(library: Any) -> type[_Carrier]:
    """Return the transport class of a library that carries requests to a simulated provider."""
    body = type("SimulatedBody", (_Body, library.SyncByteStream, library.AsyncByteStream), {})
    bases = (_Carrier, library.BaseTransport, library.AsyncBaseTransport)
    return type("SimulatedTransport", bases, {"library": library, "body_class": body, SIMULATED: True})
