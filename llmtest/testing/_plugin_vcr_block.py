"""Connections that pytest-recording's `block_network` refuses, with its own error: suites expect it by name."""

from __future__ import annotations

import re
import socket
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock
from urllib.parse import urlsplit

__all__ = ["connections_refused"]

_pairing = threading.local()
"""Whether the calling thread makes a pair of sockets, which Windows connects over loopback."""


@contextmanager
def connections_refused(allowed: Sequence[str] | None) -> Iterator[None]:
    """Refuse every connection of Python's sockets and of pycurl while the context is open, loopback included.

    Args:
        allowed: Regular expressions of hosts that may be connected to, each from the start of the name; None for no
            host.

    Raises:
        RuntimeError: Where a connection is made, as there: `Network is disabled for host 'example.com'`.
    """
    pattern = None if allowed is None else re.compile("(" + ")|(".join(allowed) + ")")

    def check(host: str | bytes | bytearray) -> None:
        name = host.decode() if isinstance(host, bytes | bytearray) else host
        if pattern is None or not pattern.match(name):
            raise RuntimeError(f"Network is disabled for host {host!r}")

    with ExitStack() as stack:
        for name in ("connect", "connect_ex"):
            method = _guarded(getattr(socket.socket, name), check)
            stack.enter_context(mock.patch.object(socket.socket, name, method))
        stack.enter_context(mock.patch.object(socket, "socketpair", _unguarded(socket.socketpair)))
        pycurl: Any = sys.modules.get("pycurl")
        if pycurl is not None:
            stack.enter_context(mock.patch.object(pycurl, "Curl", _curl_class(pycurl, check)))
        yield


def _guarded(real: Any, check: Any) -> Any:
    def method(self: socket.socket, address: Any, *args: Any) -> Any:
        if not getattr(_pairing, "active", False):
            host: Any = ""
            if self.family in {socket.AF_INET, socket.AF_INET6}:
                host = address[0]
            elif self.family == getattr(socket, "AF_UNIX", None):
                host = address
            check(host)
        return real(self, address, *args)

    return method


def _unguarded(real: Any) -> Any:
    def socketpair(*args: Any, **options: Any) -> Any:
        before, _pairing.active = getattr(_pairing, "active", False), True
        try:
            return real(*args, **options)
        finally:
            _pairing.active = before

    return socketpair


def _curl_class(pycurl: Any, check: Any) -> Any:
    """Return pycurl's class with a look at the host before it sends."""

    class Curl(pycurl.Curl):  # type: ignore[misc]  # pycurl has no types
        _llmtest_host = ""

        def setopt(self, option: int, value: Any) -> Any:
            if option == pycurl.URL:
                text = value.decode() if isinstance(value, bytes) else value
                self._llmtest_host = urlsplit(text).hostname or ""
            return super().setopt(option, value)

        def perform(self) -> Any:
            if self._llmtest_host:
                check(self._llmtest_host)
            return super().perform()

    return Curl
