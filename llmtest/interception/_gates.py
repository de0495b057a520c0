"""Who decides about a request that is about to leave: the gate that was opened last."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Protocol

from llmtest.errors import HarnessError


class Onward(Protocol):
    """The way a request would have gone: the two methods of a transport."""

    def handle_request(self, request: Any) -> Any:
        """Send a request and return the head of its answer."""
        ...

    async def handle_async_request(self, request: Any) -> Any:
        """Send a request and return the head of its answer, suspending."""
        ...


class Gate(Protocol):
    """Decides about requests and connections while it is open."""

    def governs(self) -> bool:
        """Tell whether this gate decides for the calling context, or leaves it to the one opened before."""
        ...

    def concerns_caller(self) -> bool:
        """Tell whether the calling thread is under this gate; a debugger's or an exporter's is not."""
        ...

    def carrier(self, library: Any, scheme: str, host: str, port: int, path: str, onward: Onward) -> Any:
        """Return a transport of `library` that answers this URL; None where nobody here does.

        Args:
            library: The module whose transport is wanted, `httpx` or `httpx2`; requests of other libraries are carried
                as those of `httpx2`.
            scheme: Scheme of the URL.
            host: Host of the URL.
            port: Port of the URL, or the scheme's own.
            path: Path of the URL.
            onward: Sends a request on to where it was going, for a gate that listens rather than answers.
        """
        ...

    def is_allowed(self, host: str) -> bool:
        """Tell whether requests to a host that nobody answers may leave."""
        ...

    def allowed_names(self) -> Iterable[str]:
        """Return the allowed hosts that are exact names, whose addresses may be reached as well."""
        ...

    def passed(self, method: str, host: str) -> None:
        """Note that a request to an allowed host leaves."""
        ...

    def kept(self, library: str, host: str, method: str | None = None, path: str | None = None) -> None:
        """Note that a library's report about itself was kept from leaving, which is no error of anybody's.

        Args:
            library: Who reports.
            host: Where it was going.
            method: Method of the request; None where it is a bare connection.
            path: Path of its URL.
        """
        ...

    def answers(self, host: str) -> bool:
        """Tell whether a host is simulated: no connection to it leaves, whichever thread makes it."""
        ...

    def blocked(self, what: str, host: str, *, transport: str | None = None, by_socket: bool = False) -> HarnessError:
        """Make and record the error for a request, or a connection, that may not leave.

        Args:
            what: The request (`POST /v1/messages`), or the kind of connection (`connection to port 443`).
            host: Where it was going.
            transport: Class of the client's own transport, where that is why nobody can answer.
            by_socket: Whether it is a bare connection, of a library whose requests nobody here reads.
        """
        ...


_gates: tuple[Gate, ...] = ()
_first: tuple[Gate, ...] = ()
"""Gates that decide before all others, whichever was opened last."""


def current_gate() -> Gate | None:
    """Return the gate that decides now: the last one opened that governs the calling context."""
    for gate in _first:
        if gate.governs():
            return gate
    for gate in reversed(_gates):
        if gate.governs():
            return gate
    return None


def push_gate(gate: Gate, *, first: bool = False) -> bool:
    """Let a gate decide from now on; returns whether it is the only one.

    Args:
        gate: The gate.
        first: Whether it decides before every other, also those that are opened later.
    """
    global _gates, _first  # noqa: PLW0603 - what leaves the process is one thing for the whole process
    if first:
        _first = (*_first, gate)
    else:
        _gates = (*_gates, gate)
    return len(_gates) + len(_first) == 1


def remove_gate(gate: Gate) -> bool:
    """Let a gate decide no longer; returns whether none is left."""
    global _gates, _first
    left, first = list(_gates), list(_first)
    (first if gate in first else left).remove(gate)
    _gates, _first = tuple(left), tuple(first)
    return not _gates and not _first


@lru_cache(maxsize=512)
def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine: `localhost`, `*.localhost`, 127.0.0.0/8, ::1, the unspecified address."""
    name = host.lower().strip("[]").partition("%")[0]
    if name in {"", "localhost"} or name.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback or address.is_unspecified


def is_pattern(host: str) -> bool:
    """Tell whether an allowed host stands for many, such as `*.example.org`."""
    return any(sign in host for sign in "*?[")
