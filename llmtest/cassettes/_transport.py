"""A transport of `httpx` or `httpx2` over a cassette: plays what is recorded, and records what is not."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar

from llmtest.cassettes._interactions import Interaction, RecordedRequest
from llmtest.cassettes._recording import Listening, Recording, headers_of
from llmtest.cassettes._replayed import Heard
from llmtest.clock import VirtualClock, active_clock
from llmtest.interception import SIMULATED, Onward

if TYPE_CHECKING:
    from llmtest.cassettes._gate import Deck

INCOMPLETE = "peer closed connection without sending complete message body (incomplete chunked read)"
"""httpcore's words for a connection that broke inside a body."""


class _Playing:
    """The body of a recorded answer, in the pieces in which it came.

    Pieces come at their recorded times where time is virtual, which costs nothing; where it is real they come at once.
    """

    def __init__(self, deck: Deck, interaction: Interaction, library: Any, request: Any, heard: Heard) -> None:
        self._deck = deck
        self._heard = heard
        self._interaction = interaction
        self._response = interaction.response
        self._library = library
        self._request = request

    def _waits(self) -> Iterator[tuple[int, bytes]]:
        """Yield nanoseconds to wait and the piece that comes then."""
        before_ms = 0
        for at_ms, piece in self._response.pieces():
            yield _virtual_ns(at_ms - before_ms), piece
            before_ms = at_ms

    def __iter__(self) -> Iterator[bytes]:
        for wait_ns, piece in self._waits():
            if wait_ns:
                active_clock().sleep_ns(wait_ns)
            self._heard.heard(piece)
            yield piece
        self._end()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for wait_ns, piece in self._waits():
            if wait_ns:
                await active_clock().sleep_async_ns(wait_ns)
            self._heard.heard(piece)
            yield piece
        self._end()

    def _end(self) -> None:
        """End as the recorded answer did.

        Raises:
            CassetteMismatchError: The client listens for longer than it did when the answer was recorded.
        """
        if self._response.error:
            self._heard.end(self._response.error)
            kind, _, text = self._response.error.partition(": ")
            broken = getattr(self._library, kind, None)
            if not (isinstance(broken, type) and issubclass(broken, self._library.TransportError)):
                broken, text = self._library.RemoteProtocolError, text or INCOMPLETE
            raise broken(text, request=self._request)
        if not self._response.complete:
            self._heard.end("incomplete")
            raise self._deck.cut_short(self._interaction)
        self._heard.end()

    def close(self) -> None:
        """Let go of the answer."""
        self._heard.leave()

    async def aclose(self) -> None:
        """Let go of the answer."""
        self._heard.leave()

    def __del__(self) -> None:
        self._heard.leave()


class _CassetteTransport:
    """Plays and records one client's requests; `transport_class` makes it a transport of a library."""

    library: ClassVar[Any]
    playing_class: ClassVar[type[_Playing]]
    listening_class: ClassVar[type[Listening]]

    def __init__(self, deck: Deck, onward: Onward) -> None:
        self._deck = deck
        self._onward = onward

    def handle_request(self, request: Any) -> Any:
        sent = _request_of(request, request.read())
        found = self._deck.answer(sent)
        if found is not None:
            heard = Heard(sent, found.response)
            if wait_ns := _virtual_ns(found.response.head_ms):
                with heard.waiting():
                    active_clock().sleep_ns(wait_ns)
            return self._played(found, request, heard)
        with self._deck.live(sent) as (sent_ns, done):
            response = self._onward.handle_request(request)
        return self._listened(response, Recording(sent, sent_ns, response, done))

    async def handle_async_request(self, request: Any) -> Any:
        sent = _request_of(request, await request.aread())
        found = self._deck.answer(sent)
        if found is not None:
            heard = Heard(sent, found.response)
            if wait_ns := _virtual_ns(found.response.head_ms):
                with heard.waiting():
                    await active_clock().sleep_async_ns(wait_ns)
            return self._played(found, request, heard)
        with self._deck.live(sent) as (sent_ns, done):
            response = await self._onward.handle_async_request(request)
        return self._listened(response, Recording(sent, sent_ns, response, done))

    def _played(self, interaction: Interaction, request: Any, heard: Heard) -> Any:
        recorded = interaction.response
        extensions: dict[str, Any] = {"http_version": b"HTTP/1.1"}
        if recorded.reason:
            extensions["reason_phrase"] = recorded.reason.encode("ascii", "replace")
        return self.library.Response(
            recorded.status,
            headers=[(name.encode(), value.encode()) for name, values in recorded.headers.items() for value in values],
            stream=self.playing_class(self._deck, interaction, self.library, request, heard),
            extensions=extensions,
        )

    def _listened(self, response: Any, recording: Recording) -> Any:
        self._deck.opened(recording)
        response.stream = self.listening_class(response.stream, recording, self.library.TransportError)
        return response


def _virtual_ns(milliseconds: int) -> int:
    """Return how long to wait where time is virtual; real time is not waited for."""
    return max(0, milliseconds) * 1_000_000 if milliseconds and isinstance(active_clock(), VirtualClock) else 0


def _request_of(request: Any, body: bytes) -> RecordedRequest:
    return RecordedRequest(request.method, str(request.url), headers_of(request), body)


@cache
def transport_class(library: Any) -> type[_CassetteTransport]:
    """Return the transport class of a library that plays and records."""
    streams = (library.SyncByteStream, library.AsyncByteStream)
    playing = type("RecordedBody", (_Playing, *streams), {})
    listening = type("ListenedBody", (Listening, *streams), {})
    bases = (_CassetteTransport, library.BaseTransport, library.AsyncBaseTransport)
    members = {"library": library, "playing_class": playing, "listening_class": listening, SIMULATED: True}
    return type("CassetteTransport", bases, members)
