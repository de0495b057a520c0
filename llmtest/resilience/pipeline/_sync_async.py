"""The two worlds a policy may run in: blocking code and an event loop.

Policies are written once, as coroutines over `Parts` (design D3). Given `BLOCKING` they never suspend.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Coroutine
from typing import Any, Protocol

from llmtest.clock import Clock
from llmtest.types import CompletionRequest, CompletionResponse, Provider, StreamEvent, Timeouts

__all__ = ["ASYNC", "BLOCKING", "Parts"]


class Parts(Protocol):
    """How to ask a provider and how to wait, in one world."""

    is_async: bool
    """Whether it is an event loop."""

    async def complete(self, provider: Provider, request: CompletionRequest, timeouts: Timeouts) -> CompletionResponse:
        """Ask for a whole answer."""
        ...

    def stream(
        self, provider: Provider, request: CompletionRequest, timeouts: Timeouts
    ) -> AsyncGenerator[StreamEvent, None]:
        """Ask for an answer in pieces."""
        ...

    async def sleep_ns(self, clock: Clock, ns: int) -> None:
        """Wait."""
        ...


class BlockingParts:
    """Blocking code: nothing here suspends."""

    is_async = False

    async def complete(self, provider: Provider, request: CompletionRequest, timeouts: Timeouts) -> CompletionResponse:
        """Ask for a whole answer."""
        return provider.complete(request, timeouts)

    async def stream(
        self, provider: Provider, request: CompletionRequest, timeouts: Timeouts
    ) -> AsyncGenerator[StreamEvent, None]:
        """Ask for an answer in pieces."""
        events = provider.stream(request, timeouts)
        try:
            for event in events:
                yield event
        finally:
            close = getattr(events, "close", None)
            if close is not None:
                close()

    async def sleep_ns(self, clock: Clock, ns: int) -> None:
        """Block the thread."""
        clock.sleep_ns(ns)


class AsyncParts:
    """An event loop."""

    is_async = True

    def complete(
        self, provider: Provider, request: CompletionRequest, timeouts: Timeouts
    ) -> Coroutine[Any, Any, CompletionResponse]:
        """Ask for a whole answer."""
        return provider.complete_async(request, timeouts)

    async def stream(
        self, provider: Provider, request: CompletionRequest, timeouts: Timeouts
    ) -> AsyncGenerator[StreamEvent, None]:
        """Ask for an answer in pieces."""
        events: AsyncIterator[StreamEvent] = provider.stream_async(request, timeouts)
        try:
            async for event in events:
                yield event
        finally:
            close = getattr(events, "aclose", None)
            if close is not None:
                await close()

    async def sleep_ns(self, clock: Clock, ns: int) -> None:
        """Suspend the task."""
        await clock.sleep_async_ns(ns)


BLOCKING: Parts = BlockingParts()
ASYNC: Parts = AsyncParts()
