"""Which real connections wait for a reply: a server that was asked gets more time than one that nobody asked.

A short silence says that an idle connection is idle. Where a request has been sent and nothing has come back, the same
silence only says that the machine is busy, and a jump would end the wait by a timeout that never happened.
"""

from __future__ import annotations

import socket
import threading
from typing import Any
from weakref import WeakKeyDictionary, WeakSet

from llmtest.clock._clock import NS_PER_SECOND
from llmtest.clock._real import REAL

REPLY_GRACE_NS = NS_PER_SECOND
"""Real time that a server outside the simulation has to answer before time goes on without it."""
PEERS_MAX = 4096
"""Connections accepted inside the simulation that are remembered."""


class ReplyBook:
    """The connections of a simulation that have asked something.

    A server inside the simulation is not given the longer time: its threads are watched, and it may itself wait for
    virtual time before it answers.
    """

    def __init__(self) -> None:
        self._clients: WeakSet[socket.socket] = WeakSet()
        self._asked: WeakKeyDictionary[socket.socket, tuple[int, Any]] = WeakKeyDictionary()
        self._inside: dict[Any, None] = {}
        self._lock = threading.Lock()

    def connected(self, client: socket.socket) -> None:
        """Note that a connection was opened from here."""
        with self._lock:
            self._clients.add(client)

    def accepted(self, peer: Any) -> None:
        """Note that a connection from `peer` is served inside the simulation."""
        with self._lock:
            self._inside[peer] = None
            if len(self._inside) > PEERS_MAX:
                del self._inside[next(iter(self._inside))]

    def asked(self, client: socket.socket) -> None:
        """Note that something was sent."""
        with self._lock:
            if client in self._clients:
                self._asked[client] = REAL.monotonic_ns() + REPLY_GRACE_NS, client.getsockname()

    def answered(self, client: socket.socket) -> None:
        """Note that something came back, or that the other end closed."""
        with self._lock:
            self._asked.pop(client, None)

    def left_ns(self) -> int:
        """Return for how many real nanoseconds a reply may still be waited for; 0 where none is."""
        if not self._asked:
            return 0
        with self._lock:
            latest = max((until for until, name in self._asked.values() if name not in self._inside), default=0)
        return max(0, latest - REAL.monotonic_ns())
