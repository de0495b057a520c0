"""A plan performed on a socket: waits take their time, pieces go out one by one, connections really break."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

from llmtest.simulation import Chunk, Failure, Head, Performance, Plan, TransportFault
from llmtest.types import Timeouts

__all__ = ["NO_LIMITS", "SILENCE_S", "Line", "one_line", "perform"]

SILENCE_S = 600.0
"""Longest silence of a provider that never answers, in seconds; then the connection is closed."""

PIECES_A_TURN = 8
"""Pieces of a stream, all of them ready, that are sent before others get their turn."""

NO_LIMITS = Timeouts()

Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]


class Line(Protocol):
    """The connection below a request, as far as faults need it."""

    @property
    def is_gone(self) -> bool:
        """Whether nobody is at the other end any more."""
        ...

    async def ends_within(self, seconds: float | None) -> bool:
        """Wait, and tell whether the client left meanwhile; None waits until it does."""
        ...

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


class _Departure:
    """Watches for the client's leaving: the line knows of it, and without one a task of its own asks the server."""

    def __init__(self, receive: Receive, line: Line | None) -> None:
        self._receive = receive
        self._line = line
        self._task = asyncio.create_task(self._watch()) if line is None else None

    async def _watch(self) -> None:
        """Return when the client has left; the rest of a body that nobody wants is passed over."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    @property
    def has_come(self) -> bool:
        """Whether the client has left."""
        if self._line is not None:
            return self._line.is_gone
        return self._task is not None and self._task.done()

    async def comes_within(self, seconds: float | None) -> bool:
        """Wait, and tell whether the client left meanwhile; None waits until it does."""
        if self._line is not None:
            return await self._line.ends_within(seconds)
        assert self._task is not None
        done, _ = await asyncio.wait((self._task,), timeout=seconds)
        return bool(done)

    async def close(self) -> None:
        """Stop watching."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait((self._task,))


async def perform(plan: Plan, receive: Receive, send: Send, line: Line | None) -> None:
    """Answer a request whose body has been read.

    Args:
        plan: What the provider decided.
        receive: The ASGI callable; what comes now can only be the client's leaving.
        send: The ASGI callable.
        line: The connection; None under a server that shows none, where every failure is a hang-up.
    """
    performance = Performance(plan, NO_LIMITS)
    departure = _Departure(receive, line)
    try:
        await _deliver(performance, _length_of(plan.steps), send, departure)
    except TransportFault as fault:
        await _break_off(fault.kind, line, departure)
    except _ClientLeftError:
        pass
    finally:
        performance.abandon()
        await departure.close()


def _length_of(steps: object) -> int | None:
    """Return the length of a body that is known beforehand and arrives whole."""
    if not isinstance(steps, Sequence) or any(isinstance(step, Failure) for step in steps):
        return None
    return sum(len(step.data) for step in steps if isinstance(step, Chunk))


def one_line(value: str) -> str:
    """Return a header's value without line breaks, which would split the answer; `Reply` refuses them already."""
    return value.replace("\r", " ").replace("\n", " ")


def raw_headers(head: Head, length: int | None) -> list[tuple[bytes, bytes]]:
    """Return headers as ASGI has them; without a length the body is chunked."""
    headers = [(name.encode("latin-1"), one_line(value).encode("latin-1", "replace")) for name, value in head.headers]
    if length is not None:
        headers.append((b"content-length", str(length).encode()))
    return headers


async def _deliver(performance: Performance, length: int | None, send: Send, departure: _Departure) -> None:
    number = 0
    for action in performance.actions():
        if isinstance(action, int):
            if number == 1:
                # The head of a stream goes out before its first piece, which may be long in coming.
                await send({"type": "http.response.body", "body": b"", "more_body": True})
            if await departure.comes_within(SILENCE_S if action < 0 else action / 1e9):
                raise _ClientLeftError
            continue
        number += 1
        if isinstance(action, Head):
            await send({"type": "http.response.start", "status": action.status, "headers": raw_headers(action, length)})
            continue
        await send({"type": "http.response.body", "body": action.data, "more_body": True})
        if number % PIECES_A_TURN == 2:
            # What has been sent goes out now, the first piece at once, and other connections get their turn.
            await asyncio.sleep(0)
            if departure.has_come:
                raise _ClientLeftError
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _break_off(kind: str, line: Line | None, departure: _Departure) -> None:
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
    await departure.comes_within(None)
