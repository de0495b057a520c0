"""A plan performed on a socket: waits take their time, pieces go out one by one, connections really break."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

from llmtest.simulation import Chunk, Failure, Head, Performance, Plan, TransportFault
from llmtest.types import Timeouts

__all__ = ["NO_LIMITS", "SILENCE_S", "Line", "at_once", "one_line", "perform"]

SILENCE_S = 600.0
"""Longest silence of a provider that never answers, in seconds; then the connection is closed."""

NO_LIMITS = Timeouts()

Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]


class Line(Protocol):
    """The connection below a request, as far as faults need it."""

    def take_plan(self) -> Plan | None:
        """Return what has been decided about the request already; None where nothing has."""
        ...

    def hang_up(self) -> None:
        """End the connection as if the server had gone: what was written arrives, and nothing more."""
        ...

    def reset(self) -> None:
        """Break the connection with a TCP reset."""
        ...


class _ClientLeftError(Exception):
    """The client went away before the answer was complete."""


def at_once(plan: Plan) -> tuple[Head, bytes] | None:
    """Return head and body of an answer that takes no time and comes in one piece; None for any other."""
    steps = plan.steps
    if steps.__class__ is not tuple and steps.__class__ is not list:
        return None
    if len(steps) != 2:
        return None
    head, chunk = steps
    return (head, chunk.data) if head.__class__ is Head and chunk.__class__ is Chunk else None


async def perform(plan: Plan, receive: Receive, send: Send, line: Line | None) -> None:
    """Answer a request whose body has been read.

    Args:
        plan: What the provider decided.
        receive: The ASGI callable; what comes now can only be the client's leaving.
        send: The ASGI callable.
        line: The connection; None under a server that shows none, where every failure is a hang-up.
    """
    performance = Performance(plan, NO_LIMITS)
    gone = asyncio.ensure_future(_departure(receive))
    try:
        await _deliver(performance, _length_of(plan.steps), send, gone)
    except TransportFault as fault:
        await _break_off(fault.kind, line, gone)
    except _ClientLeftError:
        pass
    finally:
        performance.abandon()
        gone.cancel()
        await asyncio.wait((gone,))


async def _departure(receive: Receive) -> None:
    """Return when the client has left; the rest of a body that nobody wants is passed over."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _length_of(steps: object) -> int | None:
    """Return the length of a body that is known beforehand and arrives whole."""
    if not isinstance(steps, Sequence) or any(isinstance(step, Failure) for step in steps):
        return None
    return sum(len(step.data) for step in steps if isinstance(step, Chunk))


def one_line(value: str) -> str:
    """Return a header's value without line breaks, which would end it and begin another."""
    return value.replace("\r", " ").replace("\n", " ")


def raw_headers(head: Head, length: int | None) -> list[tuple[bytes, bytes]]:
    """Return headers as ASGI has them; without a length the body is chunked."""
    headers = [(name.encode("latin-1"), one_line(value).encode("latin-1", "replace")) for name, value in head.headers]
    if length is not None:
        headers.append((b"content-length", str(length).encode()))
    return headers


async def _deliver(performance: Performance, length: int | None, send: Send, gone: asyncio.Future[Any]) -> None:
    for action in performance.actions():
        if isinstance(action, int):
            await _wait(action, gone)
        elif isinstance(action, Head):
            await send({"type": "http.response.start", "status": action.status, "headers": raw_headers(action, length)})
            # Headers of a stream go out before its first piece, which may be long in coming.
            await send({"type": "http.response.body", "body": b"", "more_body": True})
        else:
            await send({"type": "http.response.body", "body": action.data, "more_body": True})
            # One piece is one write: whoever reads sees a stream, and other connections get their turn.
            await asyncio.sleep(0)
            if gone.done():
                raise _ClientLeftError
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _wait(ns: int, gone: asyncio.Future[Any]) -> None:
    seconds = SILENCE_S if ns < 0 else ns / 1e9
    done, _ = await asyncio.wait((gone,), timeout=seconds)
    if done:
        raise _ClientLeftError


async def _break_off(kind: str, line: Line | None, gone: asyncio.Future[Any]) -> None:
    """Break the connection, and come back when it is broken.

    A port that listens cannot refuse, so a refused connection is reset before any answer: clients report both as a
    connection that failed.
    """
    if line is None:
        raise ConnectionAbortedError(kind)
    if kind in {"reset", "connect_refused"}:
        line.reset()
    else:
        line.hang_up()
    await asyncio.wait((gone,))
