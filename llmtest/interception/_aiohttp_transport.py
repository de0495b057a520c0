"""The far end of a connection of aiohttp that is answered in this process."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any

from llmtest.interception._as_httpx2 import failure_of, whole_body
from llmtest.interception._decision import decided
from llmtest.interception._http_bytes import Framing, RequestReader

__all__ = ["MemoryTransport"]

_REFUSED = (111, "Connection refused")
_RESET = (104, "Connection reset by peer")


class MemoryTransport(asyncio.Transport):
    """Takes one request, has it answered in the task that waits for it, and feeds the answer to the client's parser.

    Args:
        loop: The client's loop.
        handler: The client's end.
        diversion: Who answers, and under which limits.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, handler: Any, diversion: Any) -> None:
        super().__init__()
        self._loop = loop
        self._handler = handler
        self._diversion = diversion
        self._request = RequestReader()
        self._complete = loop.create_future()
        self._readable = asyncio.Event()
        self._readable.set()
        self._closing = False
        self._pump: asyncio.Task[None] | None = None

    # What the client does.

    def write(self, data: Any) -> None:
        """Take a piece of the request."""
        if not self._request.is_complete and self._request.feed(memoryview(data)):
            self.wake()

    def writelines(self, pieces: Any) -> None:
        """Take pieces of the request."""
        self.write(b"".join(pieces))

    def wake(self) -> None:
        """Wait no longer for the rest of the request: it is there, or will not come."""
        if not self._complete.done():
            self._complete.set_result(None)

    def pause_reading(self) -> None:
        """Give no more until the client asks for it."""
        self._readable.clear()

    def resume_reading(self) -> None:
        """Go on."""
        self._readable.set()

    def is_closing(self) -> bool:
        """Tell whether the client has closed the connection."""
        return self._closing

    def close(self) -> None:
        """Let go of the answer."""
        if self._closing:
            return
        self._closing = True
        if self._pump is not None:
            self._pump.cancel()
        if not self._loop.is_closed():
            self._loop.call_soon(self._handler.connection_lost, None)

    def abort(self) -> None:
        """Let go of the answer."""
        self.close()

    # What comes back.

    async def answer(self) -> None:
        """Have the request answered as far as the head of the answer.

        Raises:
            aiohttp.ClientConnectorError: No connection came about.
            aiohttp.ConnectionTimeoutError: It took too long.
        """
        import aiohttp

        await self._complete
        if not self._request.is_complete:
            return  # Writing it has failed, which the client is about to hear.
        diversion = self._diversion
        request = self._request.request(diversion.target, diversion.connect, diversion.read)
        try:
            with decided(False):
                response = await diversion.carrier.handle_async_request(request)
        except Exception as error:
            failure = failure_of(error)
            if failure == "connect_timeout":
                raise aiohttp.ConnectionTimeoutError(f"Connection timeout to host {diversion.request.url}") from error
            if failure == "refused":
                key = diversion.request.connection_key
                raise aiohttp.ClientConnectorError(key, ConnectionRefusedError(*_REFUSED)) from error
            if failure is None:
                raise
            if failure == "silent" and diversion.ends_with_total:
                await self._loop.create_future()  # until aiohttp's own limit ends it, this very moment
            self._fail(error)
        else:
            self._feed(response, Framing(response, request.method))

    def _feed(self, response: Any, framing: Framing) -> None:
        body = whole_body(response)
        self._handler.data_received(framing.head if body is None else framing.head + framing.piece(body) + framing.end)
        if body is None:
            self._pump = self._loop.create_task(self._give(response.stream, framing))

    async def _give(self, stream: Any, framing: Framing) -> None:
        """Give the body piece by piece; the client gets its turn after each."""
        try:
            async with aclosing(stream.__aiter__()) as pieces:
                async for piece in pieces:
                    await self._readable.wait()
                    self._handler.data_received(framing.piece(piece))
                    await asyncio.sleep(0)
            self._handler.data_received(framing.end)
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001 - errors of the harness as well are for whoever reads
            self._fail(error)
        finally:
            await stream.aclose()

    def _fail(self, error: BaseException) -> None:
        """Let the client's end fail as it would on the network."""
        handler, failure = self._handler, failure_of(error)
        if failure == "silent":
            handler._on_read_timeout()  # noqa: SLF001 - what aiohttp's own timer calls
        elif failure is not None:
            self._closing = True
            handler.connection_lost(ConnectionResetError(*_RESET) if failure == "broken" else None)
        else:
            payload = handler._payload  # noqa: SLF001 - it has no public name
            if payload is not None:
                payload.set_exception(error)
            handler.set_exception(error)
