"""Noticing real connections, so that time waits for the other end.

Loopback services in a test are real and answer in real time. Every use of a socket by a thread of the simulation is
noted, and time then stands until the sockets have been quiet for a short grace.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from llmtest.clock._names import party_of_caller

if TYPE_CHECKING:
    from llmtest.clock._patches import Patches

_LOCAL = getattr(socket, "AF_UNIX", None)
_SENDS = frozenset({"send", "sendall", "sendmsg"})
_RECEIVES = frozenset({"recv", "recv_into", "recvmsg"})


def _make(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
    connects = name in {"connect", "connect_ex"}

    def method(self: socket.socket, *args: Any, **options: Any) -> Any:
        party = party_of_caller()
        if party is None or (not connects and self.family == _LOCAL):  # a loop wakes itself through a local pair
            return real(self, *args, **options)
        party.note_real_io(_peer(args[0]) if connects and args else None)
        if connects:
            party.replies.connected(self)
        try:
            result = real(self, *args, **options)
        finally:
            party.note_real_io()
        if name in _SENDS:
            party.replies.asked(self)
        elif name in _RECEIVES:
            party.replies.answered(self)
        elif name == "accept":
            party.replies.accepted(result[1])
        return result

    method.__name__ = method.__qualname__ = name
    method.__doc__ = real.__doc__
    return method


def _peer(address: Any) -> str:
    if isinstance(address, tuple) and len(address) >= 2:
        host = str(address[0])
        return f"[{host}]:{address[1]}" if ":" in host else f"{host}:{address[1]}"
    return str(address)


_METHODS = tuple(
    name
    for name in ("connect", "connect_ex", "accept", *_SENDS, "sendto", *_RECEIVES, "recvfrom")
    if hasattr(socket.socket, name)
)


def install_sockets(patches: Patches) -> None:
    """Watch every socket, through whatever guards the methods already."""
    for name in _METHODS:
        patches.replace(socket.socket, name, _make(name, getattr(socket.socket, name)))
