"""Stop every connection that is no request of a library whose requests are answered: databases, raw sockets.

The guard sits on Python's own `socket` class, on name resolution and on uvloop's ways to a connection: on connecting,
and on sending, as a connection may be older than the guard. A library that opens sockets in C without any of them
(grpc, c-ares) is out of reach.
"""

from __future__ import annotations

import asyncio
import inspect
import socket
import ssl
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from weakref import WeakKeyDictionary

from llmtest.interception._gates import Gate, current_gate, is_loopback
from llmtest.interception._proxies import host_behind_proxy
from llmtest.interception._telemetry import kept_connection, telemetry_at

INTERNET = {socket.AF_INET, socket.AF_INET6}
NAMES_MAX = 4096
"""Addresses remembered for allowed names; beyond that the oldest are forgotten."""

_resolved: dict[str, str] = {}
"""Addresses that name resolution gave for allowed hosts, with the host."""
_resolving = threading.Lock()
_checked: WeakKeyDictionary[socket.socket, Gate] = WeakKeyDictionary()
"""Connections whose other end was checked, with the gate that let them pass."""
_checking = threading.Lock()
_real_resolve: Any = socket.getaddrinfo
_SENDS: dict[str, int | None] = {"send": None, "sendall": None, "sendto": 1, "sendmsg": 3}
"""Methods that send, and how many arguments after the data there are where the last one is an address."""


def _check(host: str, what: str) -> None:
    """Let a connection to `host` pass, or raise the gate's error."""
    gate = current_gate()
    if gate is None or is_loopback(host) or not (gate.concerns_caller() or gate.answers(host)):
        return
    if gate.is_allowed(host) or gate.is_allowed(_resolved.get(host, host)):
        return
    reporter = telemetry_at(host)
    if reporter is not None:
        gate.kept(reporter, host)
        raise kept_connection(reporter, host)
    raise gate.blocked(what, host, by_socket=True)


def _address_check(self: socket.socket, address: Any) -> None:
    if self.family in INTERNET and isinstance(address, tuple) and address:
        host = address[0].decode() if isinstance(address[0], bytes) else str(address[0])
        _check(host, f"a connection to port {address[1]}")


def _guarded(real: Any, position: int) -> Any:
    """Return a method of `socket` that checks the address at `position` (-1: the last argument) first."""

    def method(self: socket.socket, *args: Any) -> Any:
        if args:
            _address_check(self, args[position])
        return real(self, *args)

    return method


def _sending(real: Any, address_at: int | None) -> Any:
    """Return a sending method that checks what is sent, and where to.

    Args:
        real: The method.
        address_at: Position of an address among its arguments, which may be left out; None: it takes none.
    """

    def method(self: socket.socket, data: Any, *args: Any) -> Any:
        if self.family not in INTERNET:
            return real(self, data, *args)
        address = args[-1] if address_at is not None and len(args) >= address_at else None
        outside = host_behind_proxy(data)
        # What stays on this machine needs no gate, and who sends it may not be able to say which is its own.
        gate = None if outside is None and _stays_here(self, address) else current_gate()
        if gate is not None:
            if address is None:
                _connection_check(self, gate)
            else:
                _address_check(self, address)
            if outside is not None:
                _check(outside, "a request through a proxy on this machine")
        return real(self, data, *args)

    return method


def _stays_here(self: socket.socket, address: Any) -> bool:
    """Tell whether what is sent goes to this machine, or nowhere."""
    try:
        host = self.getpeername()[0] if address is None else address[0]
    except (OSError, TypeError, IndexError):
        return address is None
    return isinstance(host, str) and is_loopback(host)


def _connection_check(self: socket.socket, gate: Gate) -> None:
    """Check the other end of a connection once for each gate: it may have been opened before there was any."""
    with _checking:
        if _checked.get(self) is gate:
            return
    try:
        host, port = self.getpeername()[:2]
    except OSError:
        return
    if not is_loopback(host):
        name = getattr(self, "server_hostname", None) or host
        if not gate.concerns_caller() and not gate.answers(name):
            return
        if not gate.is_allowed(name) and not _is_allowed_name(gate, host):
            raise gate.blocked(f"a connection to port {port} that was open before", name, by_socket=True)
    with _checking:
        _checked[self] = gate


def _is_allowed_name(gate: Gate, address: str) -> bool:
    """Tell whether an address belongs to a name that is allowed, which nobody has looked up under this gate."""
    if gate.is_allowed(address) or gate.is_allowed(_resolved.get(address, address)):
        return True
    for name in gate.allowed_names():
        with suppress(OSError, UnicodeError):
            if any(entry[4][0] == address for entry in _real_resolve(name, None)):
                with _resolving:
                    _resolved[address] = name
                return True
    return False


def _resolve(real: Any) -> Any:
    def getaddrinfo(host: Any, *args: Any, **options: Any) -> Any:
        name = host.decode("ascii", "replace") if isinstance(host, bytes) else host
        gate = current_gate()
        if gate is None or name is None or is_loopback(name):
            return real(host, *args, **options)
        _check(name, "looking up its address")
        if not gate.concerns_caller():
            return real(host, *args, **options)
        found = real(host, *args, **options)
        with _resolving:
            for entry in found:
                _resolved[str(entry[4][0])] = name
            while len(_resolved) > NAMES_MAX:
                del _resolved[next(iter(_resolved))]
        return found

    return getaddrinfo


def _reaching_out(real: Any) -> Any:
    """Return a method of uvloop's loop, whose sockets are not Python's, that checks the host first."""
    signature = inspect.signature(getattr(asyncio.AbstractEventLoop, real.__name__))

    async def method(self: Any, *args: Any, **options: Any) -> Any:
        given = signature.bind_partial(self, *args, **options).arguments
        address = given.get("remote_addr") or (given.get("host"), given.get("port"))
        if address[0] is not None:
            host = address[0].decode("ascii", "replace") if isinstance(address[0], bytes) else str(address[0])
            _check(host, f"a connection to port {address[1]}")
        return await real(self, *args, **options)

    return method


@contextmanager
def patch_sockets() -> Iterator[None]:
    """Ask the current gate before anything connects or is sent, while the context is open."""
    global _real_resolve  # noqa: PLW0603 - what leaves the process is one thing for the whole process
    changed: list[tuple[type, str, Any]] = []

    def replace(owner: type, name: str, method: Any) -> None:
        changed.append((owner, name, owner.__dict__.get(name)))
        setattr(owner, name, method)

    for name in ("connect", "connect_ex"):
        replace(socket.socket, name, _guarded(getattr(socket.socket, name), 0))
    for name, address_at in _SENDS.items():
        if hasattr(socket.socket, name):
            replace(socket.socket, name, _sending(getattr(socket.socket, name), address_at))
    for name in ("send", "sendall", "write"):
        replace(ssl.SSLSocket, name, _sending(ssl.SSLSocket.__dict__[name], None))
    loop: Any = getattr(sys.modules.get("uvloop"), "Loop", None)
    for name in ("create_connection", "create_datagram_endpoint", "getaddrinfo") if loop is not None else ():
        replace(loop, name, _reaching_out(getattr(loop, name)))
    _real_resolve = socket.getaddrinfo
    socket.getaddrinfo = _resolve(_real_resolve)
    try:
        yield
    finally:
        socket.getaddrinfo = _real_resolve
        for owner, name, method in reversed(changed):
            if method is None:
                delattr(owner, name)
            else:
                setattr(owner, name, method)
        _resolved.clear()
        _checked.clear()
