"""A provider behind HTTP: a dialect, an address and a key, once for blocking code and event loops alike."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from llmtest.clock import TimeLimits, active_clock, iterate_blocking, run_blocking, unique_key
from llmtest.errors import ProviderError, ProviderTimeoutError, StreamInterruptedError
from llmtest.providers._batches import BatchCalls
from llmtest.providers._gathered import gathered
from llmtest.providers._http_clients import Door
from llmtest.providers._services import LACKING, ServiceCalls
from llmtest.types import NO_TIMEOUTS, CompletionRequest, CompletionResponse, HealthReport, StreamEvent, Timeouts
from llmtest.wire import StreamDecoder, WireRequest

__all__ = ["HttpProvider"]


PING = CompletionRequest.ask("ping").with_max_tokens(16)
"""The shortest call that proves that a model answers: Responses take no smaller limit, and a model that thinks first
spends some of it on that."""


class HttpProvider(BatchCalls, ServiceCalls):
    """A provider that is reached over HTTP; arguments and errors as of `HttpExchange`."""

    def complete(self, request: CompletionRequest, timeouts: Timeouts = NO_TIMEOUTS) -> CompletionResponse:
        """Answer a request, blocking.

        Raises:
            ProviderError: The provider, or the way to it, failed.
        """
        return run_blocking(self._complete(request, timeouts, self._blocking))

    async def complete_async(self, request: CompletionRequest, timeouts: Timeouts = NO_TIMEOUTS) -> CompletionResponse:
        """Answer a request on the event loop.

        Raises:
            ProviderError: The provider, or the way to it, failed.
        """
        return await self._complete(request, timeouts, self._async)

    def stream(self, request: CompletionRequest, timeouts: Timeouts = NO_TIMEOUTS) -> Iterator[StreamEvent]:
        """Answer a request piece by piece, blocking.

        Raises:
            ProviderError: The provider, or the way to it, failed.
        """
        return iterate_blocking(self._stream(request, timeouts, self._blocking))

    def stream_async(
        self, request: CompletionRequest, timeouts: Timeouts = NO_TIMEOUTS
    ) -> AsyncGenerator[StreamEvent, None]:
        """Answer a request piece by piece on the event loop.

        Raises:
            ProviderError: The provider, or the way to it, failed.
        """
        return self._stream(request, timeouts, self._async)

    def probe(self, request: CompletionRequest | None = None, timeouts: Timeouts = NO_TIMEOUTS) -> HealthReport:
        """Ask whether the provider is well, blocking; never raises what a provider or its network does.

        It is well when it answers as it does when calls succeed: an answer that can be read, after a status of success.
        Any refusal says that it is not, a 400 or a 404 as much as a 503, for calls would be refused in the same way.

        Args:
            request: A call to try, which costs what a call costs; None asks for the list of models, which is free, and
                for the shortest call where there is no such list.
            timeouts: Limits; default: those of the provider.
        """
        return run_blocking(self._probe(request, timeouts, self._blocking))

    async def probe_async(
        self, request: CompletionRequest | None = None, timeouts: Timeouts = NO_TIMEOUTS
    ) -> HealthReport:
        """Ask whether the provider is well, on the event loop; see `probe`."""
        return await self._probe(request, timeouts, self._async)

    def is_available(self) -> bool:
        """Whether it answers now, blocking: it is `available()`, and a `probe` finds it well."""
        return self.available() and self.probe().healthy

    async def is_available_async(self) -> bool:
        """Whether it answers now, on the event loop."""
        return self.available() and (await self.probe_async()).healthy

    async def _complete(self, request: CompletionRequest, timeouts: Timeouts, door: Door) -> CompletionResponse:
        request = self._addressed(request)
        limits = self._limits(timeouts, streaming=False)
        try:
            wire = self._named_once(self._chat.encode_call(request, stream=False), request)
            headers, body = await self._fetch(wire, limits, door)
            response: CompletionResponse = self._chat.decode_answer(body, headers)
        except ProviderError as error:
            if isinstance(error, ProviderTimeoutError) and error.body is not None:
                error.late = self._told_by(error.body)
            raise self._named(error, request.model) from error.__cause__
        return self._attributed(response)

    def _told_by(self, body: bytes) -> tuple[StreamEvent, ...]:
        """Return the usage in an answer that came too late, if all of it came."""
        try:
            usage = self._chat.decode_answer(body, {}).usage
        except ProviderError:
            return ()
        return StreamEvent("finish"), StreamEvent("usage", usage=usage)

    async def _stream(
        self, request: CompletionRequest, timeouts: Timeouts, door: Door
    ) -> AsyncGenerator[StreamEvent, None]:
        request = self._addressed(request)
        limits = self._limits(timeouts, streaming=True)
        try:
            wire = self._named_once(self._chat.encode_call(request, stream=True), request)
            response = await self._send(wire, limits, door)
            try:
                decoder = self._chat.stream_decoder(response.headers)
                source = self._events(response, decoder, limits, door)
                if self._pieces_of is not None:
                    source = gathered(source, self._pieces_of, has_timers=door is self._async)
                async with aclosing(source) as events:
                    async for event in events:
                        yield event
            finally:
                await door.close(response)
        except ProviderError as error:
            raise self._named(error, request.model) from error.__cause__

    async def _events(
        self, response: Any, decoder: StreamDecoder, limits: TimeLimits, door: Door
    ) -> AsyncGenerator[StreamEvent, None]:
        try:
            async with aclosing(self._pieces(response, limits, door)) as pieces:
                async for piece in pieces:
                    found = decoder.feed(piece)
                    if (phase := limits.overdue()) is not None:
                        late = limits.error(phase)
                        late.late = found
                        raise late
                    for event in found:
                        limits.has_begun = limits.has_begun or event.visible
                        yield event
                    if decoder.done:
                        break
        except StreamInterruptedError:
            raise
        except ProviderError as error:
            if not limits.has_begun:
                raise
            if isinstance(error, ProviderTimeoutError):
                raise decoder.interrupted("stalled", str(error)) from error
            raise decoder.interrupted("dropped", str(error)) from error
        for event in decoder.close():
            if event.response is not None:
                yield replace(event, response=self._attributed(event.response))
            else:
                yield event

    def _named_once(self, wire: WireRequest, request: CompletionRequest) -> WireRequest:
        """Return what is sent with the name of the request, where the provider looks for one."""
        if self.idempotency_header is None:
            return wire
        name = (self.idempotency_header, request.idempotency_key or unique_key())
        return replace(wire, headers=(*wire.headers, name))

    def _attributed(self, response: CompletionResponse) -> CompletionResponse:
        """Return the answer with who gave it."""
        return replace(response, provider=self.name)

    async def _probe(self, request: CompletionRequest | None, timeouts: Timeouts, door: Door) -> HealthReport:
        begun = active_clock().now_ns()
        asked, error = await self._tried(request, timeouts, door)
        seconds = (active_clock().now_ns() - begun) / 1e9
        return HealthReport(self.name, error is None, asked, seconds, error)

    async def _tried(
        self, request: CompletionRequest | None, timeouts: Timeouts, door: Door
    ) -> tuple[str, ProviderError | None]:
        """Try what a probe tries; return what it was, and what was wrong."""
        listing = self._giving("models") if request is None else None
        if listing is not None:
            try:
                await self._cards(None, door, timeouts)
            except ProviderError as error:
                if error.status not in LACKING:
                    return listing.operation, error
            else:
                return listing.operation, None
        try:
            await self._complete(request or PING, timeouts, door)
        except ProviderError as error:
            return self._chat.operation, error
        return self._chat.operation, None
