"""Stop every connection that is no request of `httpx` or `httpx2`: aiohttp, requests, urllib3, raw sockets.

The guard sits on Python's own `socket` class and on name resolution. A library that opens sockets in C without it
(grpc, c-ares) is out of reach.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from llmtest.interception._gates import current_gate, is_loopback

INTERNET = {socket.AF_INET, socket.AF_INET6}
NAMES_MAX = 4096
"""Addresses remembered for allowed names; beyond that the oldest are forgotten."""

_resolved: dict[str, str] = {}
"""Addresses that name resolution gave for allowed hosts, with the host."""
_resolving = threading.Lock()


def _check(host: str, what: str) -> None:
    """Let a connection to `host` pass, or raise the gate's error."""
    gate = current_gate()
    if gate is None or is_loopback(host) or not (gate.concerns_caller() or gate.answers(host)):
        return
    if gate.is_allowed(host) or gate.is_allowed(_resolved.get(host, host)):
        return
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


@contextmanager
def patch_sockets() -> Iterator[None]:
    """Ask the current gate before anything connects, while the context is open."""
    methods = {"connect": 0, "connect_ex": 0, "sendto": -1}
    before = {name: socket.socket.__dict__.get(name) for name in methods}
    real_resolve = socket.getaddrinfo
    for name, position in methods.items():
        setattr(socket.socket, name, _guarded(getattr(socket.socket, name), position))
    socket.getaddrinfo = _resolve(real_resolve)
    try:
        yield
    finally:
        socket.getaddrinfo = real_resolve
        for name, method in before.items():
            if method is None:
                delattr(socket.socket, name)
            else:
                setattr(socket.socket, name, method)
        _resolved.clear()
