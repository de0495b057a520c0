"""The two ways out of the process: a blocking HTTP client and an asynchronous one, behind the same coroutines.

The only file that knows which library sends by default. A client that is passed in may come from `httpx` or `httpx2`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any, Protocol

__all__ = ["AsyncDoor", "BlockingDoor", "Door"]

# A client, request or response of either library; they share their interface and no base class.
Foreign = Any


class Door(Protocol):
    """How to send and to read, in one world."""

    def client(self) -> Foreign:
        """Return the client."""
        ...

    async def send(self, client: Foreign, request: Foreign) -> Foreign:
        """Send a request; return the response with its body unread."""
        ...

    def pieces(self, response: Foreign) -> AsyncIterator[bytes]:
        """Read the body piece by piece."""
        ...

    async def close(self, response: Foreign) -> None:
        """Let go of the connection."""
        ...

    def limit(self, seconds: float | None) -> AbstractAsyncContextManager[object]:
        """Raise `TimeoutError` after `seconds`, where this world can."""
        ...


class BlockingDoor:
    """Blocking code. It cannot be interrupted: the client's own read timeout ends a wait."""

    def __init__(self, client: Foreign | None) -> None:
        self._client = client
        self._is_own = client is None

    def client(self) -> Foreign:
        """Return the client, made on first use."""
        if self._client is None:
            import httpx

            self._client = httpx.Client()
        return self._client

    def close_client(self) -> None:
        """Close the client, if it was made here; the next use makes another."""
        if self._is_own and self._client is not None:
            self._client.close()
            self._client = None

    async def send(self, client: Foreign, request: Foreign) -> Foreign:
        """Send a request."""
        return client.send(request, stream=True)

    async def pieces(self, response: Foreign) -> AsyncIterator[bytes]:
        """Read the body."""
        for piece in response.iter_bytes():
            yield piece

    async def close(self, response: Foreign) -> None:
        """Close the response."""
        response.close()

    def limit(self, seconds: float | None) -> AbstractAsyncContextManager[object]:
        """Do nothing."""
        del seconds
        return nullcontext()


class AsyncDoor:
    """An event loop. Connections belong to their loop, so each loop has a client of its own."""

    def __init__(self, client: Foreign | None) -> None:
        self._given = client
        self._own: Foreign | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def client(self) -> Foreign:
        """Return the client, made on first use in each loop."""
        if self._given is not None:
            return self._given
        loop = asyncio.get_running_loop()
        if self._own is None or self._loop is not loop:
            import httpx

            self._own, self._loop = httpx.AsyncClient(), loop
        return self._own

    async def close_client(self) -> None:
        """Close the client of the running loop, if it was made here; the next use makes another."""
        if self._own is not None and self._loop is asyncio.get_running_loop():
            await self._own.aclose()
            self._own = None

    async def send(self, client: Foreign, request: Foreign) -> Foreign:
        """Send a request."""
        return await client.send(request, stream=True)

    async def pieces(self, response: Foreign) -> AsyncIterator[bytes]:
        """Read the body."""
        async for piece in response.aiter_bytes():
            yield piece

    async def close(self, response: Foreign) -> None:
        """Close the response."""
        await response.aclose()

    def limit(self, seconds: float | None) -> AbstractAsyncContextManager[object]:
        """Cancel what runs inside after `seconds`."""
        return nullcontext() if seconds is None else asyncio.timeout(seconds)
