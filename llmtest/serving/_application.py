"""The ASGI application: providers, and the control plane below `/_llmtest/`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from llmtest.serving._plan_sender import Line, Receive, Send, perform
from llmtest.serving._receive import MOST_BYTES, Reception
from llmtest.simulation import Exchange

__all__ = ["CONTROL", "LINE", "Application", "Forward", "Scope"]

Scope = dict[str, Any]


class Forward(Protocol):
    """Answers requests by asking somebody else."""

    async def __call__(self, exchange: Exchange, send: Send, line: Line | None) -> None:
        """Answer a request whose body has been read."""
        ...

    async def aclose(self) -> None:
        """Let go of what is held for the others."""
        ...


LINE = "llmtest.line"
"""The scope's extension that breaks connections."""

CONTROL = "/_llmtest/"


class Application:
    """Serves a world over ASGI.

    Args:
        reception: Decides about requests to providers.
        control: Makes the application for the control plane, when it is first asked for.
        forward: Answers everything else, in place of the providers.
    """

    def __init__(
        self, reception: Reception, control: Callable[[], Any] | None = None, forward: Forward | None = None
    ) -> None:
        self._reception = reception
        self._forward = forward
        self._make_control = control
        self._control: Any = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            raise ConnectionAbortedError(f"llmtest serves HTTP, not {scope['type']}")
        if scope["path"].startswith(CONTROL) and self._make_control is not None:
            if self._control is None:
                self._control = self._make_control()
            await self._control(scope, receive, send)
            return
        line: Line | None = scope.get("extensions", {}).get(LINE)
        decided = None if line is None else line.take_plan()
        if decided is not None:
            await perform(decided, receive, send, line)
            return
        exchange = exchange_of(scope)
        body = await _body_of(receive, exchange.headers)
        if body is None:
            return
        if isinstance(body, bytes):
            exchange.body = body
            if self._forward is not None:
                await self._forward(exchange, send, line)
                return
            plan = self._reception.plan(exchange)
        else:
            plan = self._reception.too_large(exchange)
        await perform(plan, receive, send, line)


def exchange_of(scope: Scope) -> Exchange:
    """Read everything of a request but its body."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    host, port = scope.get("server") or ("127.0.0.1", 80)
    query = scope["query_string"].decode("latin-1")
    return Exchange(scope["method"], scope["scheme"], host, port or 80, scope["path"], query, headers, b"")


async def _body_of(receive: Receive, headers: dict[str, str]) -> bytes | bool | None:
    """Read a body; False for one over the limit, None where the client left."""
    length = headers.get("content-length", "")
    if length.isdecimal() and int(length) > MOST_BYTES:
        return False
    pieces: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        pieces.append(message.get("body", b""))
        size += len(pieces[-1])
        if size > MOST_BYTES:
            return False
        if not message.get("more_body", False):
            return b"".join(pieces)
