"""uvicorn's HTTP connection, with a way to break it, and a short way for answers that take no time."""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from llmtest.serving._application import CONTROL, LINE
from llmtest.serving._plan_sender import NO_LIMITS, one_line
from llmtest.serving._receive import Reception
from llmtest.serving._request_heads import Heads, RequestHead, without_offers
from llmtest.simulation import Exchange, Head, Plan

__all__ = ["Connection", "ForwardingConnection"]

ABORT_ON_CLOSE = struct.pack("ii", 1, 0)
"""`SO_LINGER` of no time at all: closing sends a reset instead of an orderly end."""

MOST_AT_ONCE = 64 * 1024
"""Longest stream that is written in one go, in bytes; a longer one is delivered as fast as its client takes it."""

LAST_CHUNK = b"0\r\n\r\n"

HEAD_S = 5.0
"""How long a client may take to send a head, from its first byte on, in seconds."""

TOO_SLOW = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"

MOST_HEAD = 16 * 1024
MOST_HELD = 64 * 1024
"""Longest head and longest body that are waited for on the short way, in bytes."""


class Connection(HttpToolsProtocol):
    """One connection of a client; it is the `Line` that its requests are answered on.

    A request that stands whole in what has been read, and whose answer is ready at once, is answered then and there.
    Everything else, from a stream to a request in several parts, takes uvicorn's way through the ASGI application.
    """

    def __init__(self, reception: Reception, heads: Heads, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.logger = logging.getLogger("llmtest.serving")
        self.access_log = False
        self._reception = reception
        self._heads = heads
        self._held = b""
        self._head_timer: asyncio.TimerHandle | None = None
        self._is_lost = False
        self._cycles: list[RequestResponseCycle] = []
        """Requests on uvicorn's way whose answers are not complete: one, and those that wait for it."""
        self._between = True
        """Whether uvicorn's parser stands between two requests."""
        self._waiters: set[asyncio.Future[None]] = set()
        """Who waits for the client's leaving, or for a while."""
        self._openings: dict[int, bytes] = {}
        """What heads begin with, by status, as long as the server's own headers are those that were seen last."""
        self._dated: list[tuple[bytes, bytes]] | None = None
        self._plan: Plan | None = None
        """What the short way decided and could not deliver; the application delivers it."""

    def data_received(self, data: bytes) -> None:
        """Answer what can be answered at once; hand the rest on."""
        if self._held:
            data = self._held + data
            self._held = b""
        cycle: RequestResponseCycle | None = self.cycle
        if not self._between or self.flow.write_paused or (cycle is not None and not cycle.response_complete):
            super().data_received(without_offers(data) if self._between else data)
            return
        self._unset_keepalive_if_required()
        end = data.find(b"\r\n\r\n") + 4
        if end < 4:
            if len(data) <= MOST_HEAD and data[:1].isalpha() and b"\n\n" not in data:
                self._held = data
                self._await_head()
            else:
                super().data_received(data)
            return
        if self._head_timer is not None:
            self._head_is_there()
        head, body = self._heads.read(data[:end]), data[end:]
        if isinstance(head, bytes):
            super().data_received(head + body)
        elif len(body) < head.length <= MOST_HELD:
            self._held = data
        elif head.length != len(body) or not self._answer(head, body):
            super().data_received(head.raw + body)

    def _await_head(self) -> None:
        """End the connection if the rest of a head does not come in time."""
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(HEAD_S, self._give_up)

    def _head_is_there(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _give_up(self) -> None:
        if not self.transport.is_closing():
            self.transport.write(TOO_SLOW)
            self.transport.close()

    def _answer(self, head: RequestHead, body: bytes) -> bool:
        """Decide about a request, and answer it if that takes no time."""
        if head.path.startswith(CONTROL):
            return False
        host, port = self.server or ("127.0.0.1", None)
        exchange = Exchange(head.method, "http", host, port or 80, head.path, head.query, head.headers, body, NO_LIMITS)
        plan = self._reception.plan(exchange, head)
        data = None if head.method == "HEAD" else self._at_once(plan)
        if data is None:
            self._plan = plan
            return False
        self.transport.write(data)
        plan.on_end(plan.outcome)
        self.server_state.total_requests += 1
        return True

    def _at_once(self, plan: Plan) -> bytes | None:
        """Return an answer that takes no time as it goes out; None for any other."""
        whole = plan.at_once()
        if whole is not None:
            head, body = whole
            return b"%bcontent-length: %d\r\n\r\n%b" % (self._written(head), len(body), body)
        stream = plan.pieces_at_once()
        if stream is None or sum(map(len, stream[1])) > MOST_AT_ONCE:
            return None
        head, pieces = stream
        chunks = [b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces if piece]
        return b"%btransfer-encoding: chunked\r\n\r\n%b%b" % (self._written(head), b"".join(chunks), LAST_CHUNK)

    def _written(self, head: Head) -> bytes:
        """Return a head but for its end."""
        headers = head.headers
        if not headers:
            return self._opening(head.status)
        lines = "\r\n".join(map(": ".join, headers))
        if lines.count("\n") + lines.count("\r") != 2 * len(headers) - 2:
            lines = "\r\n".join([f"{name}: {one_line(value)}" for name, value in headers])
        return b"%b%b\r\n" % (self._opening(head.status), lines.encode("latin-1", "replace"))

    def _opening(self, status: int) -> bytes:
        """Return what heads of a status begin with, which is the same until the server's own headers are others."""
        ours = self.server_state.default_headers
        if self._dated is not ours:
            self._dated = ours
            self._openings.clear()
        known = self._openings.get(status)
        if known is None:
            lines = b"".join([b"%b: %b\r\n" % header for header in ours])
            known = self._openings[status] = STATUS_LINE[status] + lines
        return known

    def on_message_begin(self) -> None:
        """Put the connection into the scope of a request that begins."""
        super().on_message_begin()
        self._between = False
        self._await_head()
        extensions: dict[str, Any] = {LINE: self}
        self.scope["extensions"] = extensions

    def on_headers_complete(self) -> None:
        """Note whom to tell when the client leaves."""
        super().on_headers_complete()
        self._head_is_there()
        self._cycles = [cycle for cycle in self._cycles if not cycle.response_complete]
        self._cycles.append(self.cycle)
        # uvicorn stops to read while a request waits in line, and would not see the client leave a stalled answer.
        self.flow.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell every request that the client has left; uvicorn tells the latest alone."""
        super().connection_lost(exc)
        self._is_lost = True
        self._head_is_there()
        for waiter in self._waiters:
            _wake(waiter)
        for cycle in self._cycles:
            if not cycle.response_complete:
                cycle.disconnected = True
                cycle.message_event.set()
        self._cycles.clear()

    def on_message_complete(self) -> None:
        """Note that the parser is through with a request."""
        super().on_message_complete()
        self._between = True

    @property
    def is_gone(self) -> bool:
        """Whether the client has left."""
        # `transport.is_closing()` is true before uvicorn has heard of it, which would complain of an answer cut short.
        return self._is_lost

    async def ends_within(self, seconds: float | None) -> bool:
        """Wait, and tell whether the client left meanwhile; None waits until it does."""
        if self._is_lost:
            return True
        # A body that nobody wants any more must not keep the end of the connection from being read.
        self.flow.resume_reading()
        waiter = self.loop.create_future()
        timer = None if seconds is None else self.loop.call_later(seconds, _wake, waiter)
        self._waiters.add(waiter)
        try:
            await waiter
        finally:
            self._waiters.discard(waiter)
            if timer is not None:
                timer.cancel()
        return self._is_lost

    def take_plan(self) -> Plan | None:
        """Return what the short way decided about the request."""
        plan, self._plan = self._plan, None
        return plan

    def hang_up(self) -> None:
        """End the connection in order, whatever is still to be said."""
        self.transport.close()

    def reset(self) -> None:
        """Break the connection with a TCP reset."""
        handle = self.transport.get_extra_info("socket")
        if handle is not None and not self.transport.is_closing():
            handle.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORT_ON_CLOSE)
        self.transport.abort()


class ForwardingConnection(Connection):
    """A connection whose answers come from somewhere else: none of them is ready at once."""

    def _answer(self, head: RequestHead, body: bytes) -> bool:  # noqa: ARG002 - the application has both again
        return False


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
