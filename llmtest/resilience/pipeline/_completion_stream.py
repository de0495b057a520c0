"""Streams as the caller holds them: an iterator, a context manager, and the whole answer at the end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress
from types import TracebackType
from typing import Self

from llmtest.clock import run_blocking
from llmtest.errors import ConfigurationError
from llmtest.resilience.pipeline._call_mark import Marks
from llmtest.types import CompletionResponse, StreamEvent

__all__ = ["AsyncCompletionStream", "CompletionStream"]

UNFINISHED = "the stream has not ended, so there is no whole response yet. To fix: read it to its end first"


class _Stream:
    """What both streams share."""

    def __init__(self, events: AsyncGenerator[StreamEvent, None], marks: Marks) -> None:
        self._events = events
        self._marks = marks

    @property
    def response(self) -> CompletionResponse:
        """The whole answer, after the last event.

        Raises:
            ConfigurationError: The stream has not been read to its end.
        """
        response = self._marks.response
        if response is None:
            raise ConfigurationError(UNFINISHED)
        return response

    async def _step(self) -> StreamEvent:
        """Read one event; the one place that knows how a stream is marked and how it ends."""
        marks = self._marks
        marks.enter()
        try:
            event = await self._events.__anext__()
        except StopAsyncIteration:
            marks.end(None)
            raise
        except BaseException as error:
            marks.end(error)
            raise
        finally:
            marks.leave()
        marks.note(event)
        return event

    async def _close(self) -> None:
        marks = self._marks
        if marks.is_begun:
            marks.enter()
        try:
            await self._events.aclose()
        finally:
            marks.end(None if marks.response is not None else GeneratorExit())
            marks.leave()

    async def _abandon(self) -> None:
        """Close a stream that nobody holds, which may happen in the middle of anything.

        Context variables stay untouched: CPython 3.11 crashes where the garbage collector sets one while another is
        being set.
        """
        try:
            await self._events.aclose()
        finally:
            self._marks.end(GeneratorExit())


class CompletionStream(_Stream):
    """A streamed answer in blocking code.

    Iterate over its events; leave the `with` early, or call `close`, to give the rest up. Asking the provider begins
    with the first event.

    Example:
        >>> def print_answer(client, request):
        ...     with client.stream(request) as stream:
        ...         for event in stream:
        ...             print(event.text, end="")
        ...     return stream.response.usage
    """

    def __iter__(self) -> Self:
        """Return itself."""
        return self

    def __next__(self) -> StreamEvent:
        """Return the next event.

        Raises:
            LLMTestError: No provider could answer, or the stream broke (`StreamInterruptedError`).
        """
        try:
            return run_blocking(self._step())
        except StopAsyncIteration:
            raise StopIteration from None

    def close(self) -> None:
        """Give up the rest of the answer; harmless after its end."""
        run_blocking(self._close())

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Give up what was not read."""
        self.close()

    def __del__(self) -> None:
        """Give up what was not read, so that nothing stays reserved."""
        if self._marks.is_begun and self._marks.response is None:
            run_blocking(self._abandon())


class AsyncCompletionStream(_Stream):
    """A streamed answer on the event loop; the asynchronous twin of `CompletionStream`."""

    def __init__(self, events: AsyncGenerator[StreamEvent, None], marks: Marks) -> None:
        super().__init__(events, marks)
        self._loop: asyncio.AbstractEventLoop | None = None

    def __aiter__(self) -> Self:
        """Return itself."""
        return self

    async def __anext__(self) -> StreamEvent:
        """Return the next event.

        Raises:
            LLMTestError: No provider could answer, or the stream broke (`StreamInterruptedError`).
        """
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        return await self._step()

    async def aclose(self) -> None:
        """Give up the rest of the answer; harmless after its end."""
        await self._close()

    async def __aenter__(self) -> Self:
        """Return itself."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Give up what was not read."""
        await self._close()

    def __del__(self) -> None:
        """Give up what was not read where the loop that would do it is closed, so that nothing stays reserved."""
        if self._loop is not None and self._loop.is_closed() and self._marks.response is None:
            closing = self._abandon()
            # The account is settled before anything waits; what is left is a connection of the closed loop.
            with suppress(Exception):
                closing.send(None)
            closing.close()
