"""What becomes of one request: who answers it here, or that it leaves, or why it may not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from importlib import import_module
from typing import Any

from llmtest.interception._gates import Gate, Onward, current_gate, is_loopback
from llmtest.interception._google_credentials import ASKER, credentials_transport, is_for_credentials
from llmtest.interception._telemetry import telemetry_at, telemetry_transport

__all__ = ["carrier_for", "decide", "decided", "is_decided"]

_decided: ContextVar[bool] = ContextVar("llmtest_request_decided", default=False)
"""Whether the calling code sends a request that has been decided about: one library sends by means of another."""


def is_decided() -> bool:
    """Tell whether a library above has asked the gate already."""
    return _decided.get()


@contextmanager
def decided(state: bool = True) -> Iterator[None]:
    """Let libraries below send without asking again; with False: ask again, as a script's own requests must."""
    token = _decided.set(state)
    try:
        yield
    finally:
        _decided.reset(token)


def carrier_for(method: str, scheme: str, host: str, port: int, path: str, onward: Onward) -> Any:
    """Return a transport of httpx2 that answers a request of another library; None lets it leave.

    Args:
        method: Method of the request.
        scheme: Scheme of its URL.
        host: Host of its URL, without brackets.
        port: Port of its URL, or the scheme's own.
        path: Path of its URL, without the query.
        onward: Sends it where it was going.

    Raises:
        HarnessError: The request may not leave.
    """
    gate = current_gate()
    if gate is None or is_decided():
        return None
    return decide(gate, import_module("httpx2"), method, scheme, host, port, path, onward)


def decide(gate: Gate, library: Any, method: str, scheme: str, host: str, port: int, path: str, onward: Onward) -> Any:
    """Return the transport of `library` that answers a request; None lets it leave.

    Raises:
        HarnessError: The request may not leave.
    """
    carrier = gate.carrier(library, scheme, host, port, path, onward)
    if carrier is not None or is_loopback(host) or not gate.concerns_caller():
        return carrier
    if gate.is_allowed(host):
        gate.passed(method, host)
        return None
    reporter = telemetry_at(host, method, path)
    if reporter is not None:
        gate.kept(reporter, host, method, path)
        return telemetry_transport(library, host)
    if is_for_credentials(host, method, path):
        gate.kept(ASKER, host, method, path)
        return credentials_transport(library, host)
    raise gate.blocked(f"{method} {path}", host)
