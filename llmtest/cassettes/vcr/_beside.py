"""What leaves the process beside a cassette of vcrpy: it passes, as it does with vcrpy, and it is told."""

from __future__ import annotations

import ipaddress
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from weakref import WeakSet

from llmtest.errors import HarnessError
from llmtest.interception import Gate, Onward, current_gate, is_loopback, opened

__all__ = ["BesideCassette", "beside"]


class BesideCassette:
    """A gate that lets libraries ask vcrpy's stand-ins, and notes the hosts that are connected to all the same.

    Where another gate was open before, that one goes on to decide about connections.

    Args:
        outer: The gate that was open before, if any.
    """

    def __init__(self, outer: Gate | None) -> None:
        self._outer = outer
        self._asked = threading.local()
        self._older_threads = WeakSet(threading.enumerate())
        self._older_threads.discard(threading.current_thread())
        self._hosts: dict[str, None] = {}

    @property
    def hosts(self) -> list[str]:
        """The hosts that were connected to, by name where one was looked up."""
        names = [host for host in self._hosts if not _is_address(host)]
        return names or list(self._hosts)

    def governs(self) -> bool:
        return True

    def concerns_caller(self) -> bool:
        if self._outer is not None:
            return self._outer.concerns_caller()
        return threading.current_thread() not in self._older_threads

    def carrier(self, library: Any, scheme: str, host: str, port: int, path: str, onward: Onward) -> Any:  # noqa: ARG002 - see `Gate`
        """Nobody answers here: below the library stands vcrpy."""
        if not is_loopback(host) and self.concerns_caller():
            self._asked.host = host

    def is_allowed(self, host: str) -> bool:
        """Let a library go on to vcrpy's stand-in; a connection passes and is noted, or is the outer gate's."""
        asked, self._asked.host = getattr(self._asked, "host", None), None
        if asked == host:
            return True
        if self._outer is not None and not self._outer.is_allowed(host):
            return False
        self._hosts[host] = None
        return True

    def allowed_names(self) -> Iterable[str]:
        return () if self._outer is None else self._outer.allowed_names()

    def passed(self, method: str, host: str) -> None:
        """A library asked; whether anything left is seen where it connects."""

    def kept(self, library: str, host: str, method: str | None = None, path: str | None = None) -> None:
        if self._outer is not None:
            self._outer.kept(library, host, method, path)

    def answers(self, host: str) -> bool:
        return self._outer is not None and self._outer.answers(host)

    def blocked(self, what: str, host: str, *, transport: str | None = None, by_socket: bool = False) -> HarnessError:
        assert self._outer is not None, "without another gate everything passes"
        return self._outer.blocked(what, host, transport=transport, by_socket=by_socket)


@contextmanager
def beside() -> Iterator[BesideCassette]:
    """Note what leaves the process while the context is open.

    Yields:
        What has the hosts.
    """
    gate = BesideCassette(current_gate())
    with opened(gate, libraries=False):
        yield gate


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True
