"""Streams in larger pieces: what a model says word by word is gathered, and handed over when there is enough of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress
from dataclasses import replace

from llmtest.clock import active_clock
from llmtest.errors import ConfigurationError
from llmtest.types import StreamEvent, is_number, is_whole

__all__ = ["Pieces", "gathered"]

GATHERED = frozenset({"text", "thinking", "refusal", "tool_arguments"})
"""Events whose text continues that of the one before."""
USUAL_TIMEOUT_MS = 100.0


class Pieces:
    """How large the pieces of a stream are to be.

    Args:
        chunk_size: Characters at least; 1 or more.
        buffer_timeout_ms: Milliseconds after which less is handed over too; above 0. None: 100.

    Raises:
        ConfigurationError: A number is out of its range.
    """

    __slots__ = ("size", "timeout_ns")

    def __init__(self, chunk_size: int, buffer_timeout_ms: float | None = None) -> None:
        waits = USUAL_TIMEOUT_MS if buffer_timeout_ms is None else buffer_timeout_ms
        if not is_whole(chunk_size, 1):
            raise ConfigurationError(f"chunk_size must be a whole number, 1 or more, got {chunk_size!r}")
        if not is_number(waits) or waits <= 0:
            raise ConfigurationError(f"buffer_timeout_ms must be above 0, got {waits!r}")
        self.size = chunk_size
        self.timeout_ns = round(waits * 1e6)


class _Held:
    """What has come and was not handed over yet."""

    def __init__(self) -> None:
        self.first: StreamEvent | None = None
        self.texts: list[str] = []
        self.size = 0
        self.since_ns = 0

    def continues(self, event: StreamEvent) -> bool:
        return self.first is not None and (self.first.kind, self.first.index) == (event.kind, event.index)

    def add(self, event: StreamEvent) -> None:
        if self.first is None:
            self.first, self.since_ns = event, active_clock().now_ns()
        self.texts.append(event.text)
        self.size += len(event.text)

    def waits_ns(self, timeout_ns: int) -> int:
        """Return how much longer it may be held; 0 where it is to be handed over."""
        return max(0, self.since_ns + timeout_ns - active_clock().now_ns())

    def take(self) -> StreamEvent:
        assert self.first is not None
        found = replace(self.first, text="".join(self.texts))
        self.first, self.texts, self.size = None, [], 0
        return found


class _Following:
    """The events of a stream, each awaited for as long as there is time; one that is late is awaited further.

    Args:
        source: The stream.
    """

    def __init__(self, source: AsyncGenerator[StreamEvent, None]) -> None:
        self._source = source
        self._awaited: asyncio.Task[StreamEvent] | None = None

    async def within(self, seconds: float | None) -> StreamEvent | None:
        """Return the next event; None where it has not come in time.

        Args:
            seconds: The time; None waits for it.

        Raises:
            StopAsyncIteration: There is none.
        """
        if seconds is None and self._awaited is None:
            return await anext(self._source)
        if self._awaited is None:
            self._awaited = asyncio.ensure_future(anext(self._source))
        if seconds is not None:
            await asyncio.wait({self._awaited}, timeout=seconds)
            if not self._awaited.done():
                return None
        awaited, self._awaited = self._awaited, None
        try:
            return await awaited
        except asyncio.CancelledError:
            awaited.cancel()
            raise

    async def close(self) -> None:
        """Await nothing any more."""
        if self._awaited is not None:
            self._awaited.cancel()
            with suppress(asyncio.CancelledError, StopAsyncIteration, Exception):
                await self._awaited


async def gathered(
    events: AsyncGenerator[StreamEvent, None], pieces: Pieces, *, has_timers: bool
) -> AsyncGenerator[StreamEvent, None]:
    """Hand the events of a stream over in larger pieces; nothing is lost, and nothing changes its place.

    What is held is handed over once it has `chunk_size` characters, once `buffer_timeout_ms` is over, before an event
    of another kind, and before an error, so that a stream that breaks has shown all that had come.

    Args:
        events: The stream.
        pieces: How large pieces are to be.
        has_timers: Whether there is an event loop, on which a time that is over is noticed by itself. Blocking code
            notices it when the next event comes.
    """
    held, following = _Held(), _Following(events)
    try:
        while True:
            waits_ns = held.waits_ns(pieces.timeout_ns) if held.first is not None else None
            try:
                event = await following.within(waits_ns / 1e9 if has_timers and waits_ns is not None else None)
            except StopAsyncIteration:
                return
            except Exception:
                if held.first is not None:
                    yield held.take()
                raise
            if held.first is not None and (event is None or not held.continues(event)):
                yield held.take()
            if event is None:
                continue
            if event.kind not in GATHERED:
                yield event
                continue
            held.add(event)
            if held.size >= pieces.size or not held.waits_ns(pieces.timeout_ns):
                yield held.take()
    finally:
        await following.close()
        await events.aclose()
