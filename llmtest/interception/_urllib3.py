"""Intercept urllib3, and with it requests, botocore and google-auth.

A request is decided about in its pool, before anything connects to a host or a proxy: by then the pool knows the URL
and the limits. The library's own retries, redirects and errors run on what is answered.
"""

from __future__ import annotations

import socket
from functools import partial
from typing import Any

from llmtest.interception._decision import decided, is_decided
from llmtest.interception._gates import current_gate
from llmtest.interception._http_bytes import Target
from llmtest.interception._http_client import divert
from llmtest.interception._replacements import Replacements

__all__ = ["patch_urllib3"]

_TUNNEL_LATER = "_llmtest_tunnel_later"
"""Attribute of connections whose tunnel through a proxy waits for the decision."""


def patch_urllib3(patches: Replacements) -> None:
    """Ask the gate in every pool of connections."""
    from urllib3 import connectionpool

    for pool in (connectionpool.HTTPConnectionPool, connectionpool.HTTPSConnectionPool):
        for name, make in (("_make_request", _making), ("_prepare_proxy", _tunnelling)):
            if name in pool.__dict__:
                patches.replace(pool, name, make)


class _Urllib3Errors:
    """What urllib3 says where no connection comes about."""

    def __init__(self, connection: Any, host: str, limit: float | None) -> None:
        self._connection = connection
        self._host, self._limit = host, limit

    def refused(self, error: OSError) -> Exception:
        from urllib3.exceptions import NewConnectionError

        return NewConnectionError(self._connection, f"Failed to establish a new connection: {error}")

    def timed_out(self) -> Exception:
        from urllib3.exceptions import ConnectTimeoutError

        text = f"Connection to {self._host} timed out. (connect timeout={self._limit})"
        return ConnectTimeoutError(self._connection, text)


def _making(real: Any) -> Any:
    def _make_request(self: Any, conn: Any, method: str, url: str, *args: Any, **options: Any) -> Any:
        tunnel_later = conn.__dict__.pop(_TUNNEL_LATER, False)
        if current_gate() is None or is_decided():
            return real(self, conn, method, url, *args, **options)
        connect, read = _limits(self, options.get("timeout"))
        target = Target(self.scheme, self.host, self.port or (443 if self.scheme == "https" else 80), url)
        errors = _Urllib3Errors(conn, target.host, connect)
        tunnel = partial(_open_tunnel, self, conn) if tunnel_later else None
        if divert(conn, method, target, connect=connect, read=read, errors=errors, open_connection=tunnel):
            _look_connected(conn)
        elif tunnel is not None and conn.sock is None:
            tunnel()
        with decided():
            return real(self, conn, method, url, *args, **options)

    return _make_request


def _tunnelling(real: Any) -> Any:
    def _prepare_proxy(self: Any, conn: Any) -> Any:
        if current_gate() is None or is_decided():
            return real(self, conn)
        conn.__dict__[_TUNNEL_LATER] = True
        return None

    return _prepare_proxy


def _open_tunnel(pool: Any, connection: Any) -> None:
    with decided():
        pool._prepare_proxy(connection)  # noqa: SLF001 - what the pool itself would have called before


def _look_connected(connection: Any) -> None:
    """Say what a connection says of itself once it is there; whoever verifies nothing is warned as ever."""
    if hasattr(connection, "cert_reqs"):
        connection.is_verified = connection.cert_reqs not in {0, "CERT_NONE"}
    if getattr(connection, "proxy", None):
        connection._has_connected_to_proxy = True  # noqa: SLF001 - urllib3 has no public name for it


def _limits(pool: Any, timeout: Any) -> tuple[float | None, float | None]:
    """Return the seconds that a request of a pool may take to connect, and be silent."""
    clone = getattr(timeout, "clone", None)
    limits = clone() if clone is not None else pool.timeout.clone()
    limits.start_connect()
    return _seconds(limits.connect_timeout), _seconds(limits.read_timeout)


def _seconds(limit: Any) -> float | None:
    # urllib3's word for "as sockets have it" is no number.
    return limit if isinstance(limit, int | float | None) else socket.getdefaulttimeout()
