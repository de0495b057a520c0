"""Intercept the clients of `httpx` and `httpx2`, whenever they were made and whatever transport they hold.

Two seams, because transports are nested. A network transport (`HTTPTransport`, `AsyncHTTPTransport` and what derives
from them) asks the gate when it is about to send, so a user's retrying or logging transport around it runs in full. A
transport of another make that holds no network transport (litellm's sends through aiohttp) is replaced where the client
picks it. Transports that never leave the process (ASGI, WSGI, mocks, test clients) are never touched; a transport of
your own says so with `__llmtest_passthrough__ = True`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any, Literal
from weakref import WeakKeyDictionary

from llmtest.interception._decision import decide, decided
from llmtest.interception._gates import Gate, Onward, current_gate, is_loopback

Library = Any
"""The module `httpx` or `httpx2`; they are interchangeable here."""

SIMULATED = "__llmtest_simulated__"
"""Attribute of transports that a gate provides."""

Kind = Literal["network", "in_process", "custom"]
IN_PROCESS = frozenset({"ASGITransport", "WSGITransport", "MockTransport", "_TestClientTransport"})
NESTING = 3
"""How deep a transport inside transports is looked for."""


LIBRARY_NAMES = ("httpx", "httpx2")
"""What they are called."""


def libraries() -> tuple[Library, ...]:
    """Return the HTTP libraries that are intercepted."""
    return tuple(map(import_module, LIBRARY_NAMES))


_kinds: WeakKeyDictionary[type, Kind] = WeakKeyDictionary()


def kind_of(transport: type) -> Kind:
    """Tell whether a transport's class sends to the network, stays in the process, or is of another make."""
    kind = _kinds.get(transport)
    if kind is None:
        kind = _kinds[transport] = _classify(transport)
    return kind


def _classify(transport: type) -> Kind:
    for parent in transport.__mro__:
        if getattr(parent, SIMULATED, False) or getattr(parent, "__llmtest_passthrough__", False):
            return "in_process"
        library = parent.__module__.partition(".")[0]
        if parent.__name__ in IN_PROCESS and library in {"httpx", "httpx2", "starlette", "fastapi"}:
            return "in_process"
        if parent.__name__ in {"HTTPTransport", "AsyncHTTPTransport"} and library in {"httpx", "httpx2"}:
            return "network"
    return "custom"


def _holds_known_transport(transport: object, depth: int = NESTING) -> bool:
    """Tell whether a transport of another make has one inside that asks the gate itself, or never leaves."""
    for value in getattr(transport, "__dict__", {}).values():
        has_method = hasattr(value, "handle_request") or hasattr(value, "handle_async_request")
        if not has_method or value is transport:
            continue
        if kind_of(type(value)) != "custom" or (depth and _holds_known_transport(value, depth - 1)):
            return True
    return False


class _Sender:
    """A network transport's own way of sending, around the gates."""

    __slots__ = ("_real", "_transport")

    def __init__(self, real: Any, transport: Any) -> None:
        self._real = real
        self._transport = transport

    def handle_request(self, request: Any) -> Any:
        return self._real(self._transport, request)

    async def handle_async_request(self, request: Any) -> Any:
        return await self._real(self._transport, request)


def _decide(gate: Gate, library: Library, request: Any, onward: Onward) -> Any:
    """Return the transport that answers a request; None lets it leave."""
    url = request.url
    port = url.port or (80 if url.scheme == "http" else 443)
    return decide(gate, library, request.method, url.scheme, url.host, port, url.path, onward)


class _Passing:
    """A transport of another make on its way out: what it sends by another library has been decided about."""

    __slots__ = ("_transport",)

    def __init__(self, transport: Any) -> None:
        self._transport = transport

    def handle_request(self, request: Any) -> Any:
        with decided():
            return self._transport.handle_request(request)

    async def handle_async_request(self, request: Any) -> Any:
        with decided():
            return await self._transport.handle_async_request(request)


@contextmanager
def patch_clients() -> Iterator[None]:
    """Ask the current gate before anything is sent, while the context is open."""
    changed: list[tuple[type, str, Any]] = []

    def replace(owner: type, name: str, make: Any) -> None:
        original = owner.__dict__[name]
        changed.append((owner, name, original))
        setattr(owner, name, make(original))

    for library in libraries():
        replace(library.HTTPTransport, "handle_request", lambda real, of=library: _sending(real, of))
        replace(library.AsyncHTTPTransport, "handle_async_request", lambda real, of=library: _sending_async(real, of))
        replace(library.Client, "_transport_for_url", lambda real, of=library: _choosing(real, of))
        replace(library.AsyncClient, "_transport_for_url", lambda real, of=library: _choosing(real, of))
    try:
        yield
    finally:
        for owner, name, original in reversed(changed):
            setattr(owner, name, original)


def _sending(real: Any, library: Library) -> Any:
    def handle_request(self: Any, request: Any) -> Any:
        gate = current_gate()
        carrier = None if gate is None else _decide(gate, library, request, _Sender(real, self))
        return real(self, request) if carrier is None else carrier.handle_request(request)

    return handle_request


def _sending_async(real: Any, library: Library) -> Any:
    async def handle_async_request(self: Any, request: Any) -> Any:
        gate = current_gate()
        carrier = None if gate is None else _decide(gate, library, request, _Sender(real, self))
        return await (real(self, request) if carrier is None else carrier.handle_async_request(request))

    return handle_async_request


def _choosing(real: Any, library: Library) -> Any:
    def _transport_for_url(self: Any, url: Any) -> Any:
        transport = real(self, url)
        gate = current_gate()
        if gate is None or kind_of(type(transport)) != "custom" or _holds_known_transport(transport):
            return transport
        port = url.port or (80 if url.scheme == "http" else 443)
        carrier = gate.carrier(library, url.scheme, url.host, port, url.path, _Passing(transport))
        if carrier is not None:
            return carrier
        if is_loopback(url.host) or not gate.concerns_caller():
            return transport
        if gate.is_allowed(url.host):
            gate.passed("", url.host)
            return _Passing(transport)
        name = f"{type(transport).__module__}.{type(transport).__qualname__}"
        raise gate.blocked(f"a request to {url.path}", url.host, transport=name)

    return _transport_for_url
