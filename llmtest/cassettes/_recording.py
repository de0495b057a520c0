"""Listen to an answer while it passes: every piece reaches the client when it comes, and is kept with its time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from llmtest.cassettes._compression import decompressed
from llmtest.cassettes._interactions import Headers, Interaction, RecordedRequest, RecordedResponse
from llmtest.cassettes._reading import is_last_heard
from llmtest.clock import active_clock

Done = Callable[[Interaction], object]
STREAM_WORDS = ("event-stream", "ndjson", "stream+json")
"""What types of streamed answers have in their names."""


class Recording:
    """One answer on its way to the client.

    Args:
        request: What was sent.
        sent_ns: When, on the active clock.
        response: The head of the answer, of either library.
        done: Called once, when the answer has passed, broke, or the client let go of it.
    """

    def __init__(self, request: RecordedRequest, sent_ns: int, response: Any, done: Done) -> None:
        self._clock = active_clock()
        self._request = request
        self._recorded_at = self._clock.now().isoformat(timespec="seconds").replace("+00:00", "Z")
        self._begun_ns = self._clock.now_ns()
        self._head_ms = (self._begun_ns - sent_ns) // 1_000_000
        self._status: int = response.status_code
        self._reason: str = response.extensions.get("reason_phrase", b"").decode("ascii", "replace")
        self._headers = headers_of(response)
        self._pieces: list[bytes] = []
        self._times: list[int] = []
        self._done: Done | None = done

    @property
    def ended(self) -> bool:
        """Whether what was heard has been handed over."""
        return self._done is None

    @property
    def is_unread_refusal(self) -> bool:
        """Whether the answer is an error whose body the client did not care to read."""
        return self._status >= 400 and self._done is not None and not self._pieces

    def heard(self, piece: bytes) -> None:
        """Keep a piece of the body."""
        self._pieces.append(piece)
        self._times.append((self._clock.now_ns() - self._begun_ns) // 1_000_000)

    def end(self, *, complete: bool = False, error: str = "") -> None:
        """Hand over what was heard; only the first end counts.

        Args:
            complete: Whether the body was heard to its end. A client that has seen the last event of a stream lets go
                of it without reading on, so what was heard may be whole all the same.
            error: How the connection broke.
        """
        done, self._done = self._done, None
        if done is None:
            return
        body = b"".join(self._pieces)
        chunks = tuple((at_ms, len(piece)) for at_ms, piece in zip(self._times, self._pieces, strict=True))
        response = RecordedResponse(
            self._status,
            self._reason,
            self._headers,
            body,
            chunks if self._is_stream() else (),
            error=error,
            head_ms=self._head_ms,
        )
        readable = decompressed(response)
        readable.complete = complete or (not error and self._is_whole(len(body), readable.body))
        done(Interaction(self._request, readable, self._recorded_at))

    def _is_stream(self) -> bool:
        kinds = self._headers.get("content-type", [])
        return len(self._pieces) > 1 or any(word in kind for kind in kinds for word in STREAM_WORDS)

    def _is_whole(self, length: int, body: bytes) -> bool:
        if self._headers.get("content-length") == [str(length)]:
            return True
        return is_last_heard(self._request, body)


def headers_of(message: Any) -> Headers:
    """Return the headers of a request or an answer of either library, each with all its values, in lower case."""
    headers: Headers = {}
    for name, value in message.headers.multi_items():
        headers.setdefault(name.lower(), []).append(value)
    return headers


class Listening:
    """The body of an answer that is being recorded; `transport_class` makes it a stream of a library.

    Args:
        stream: The body as the network gives it.
        recording: Where its pieces are kept.
        broken: The library's class of errors that mean a broken connection.
    """

    def __init__(self, stream: Any, recording: Recording, broken: type[Exception]) -> None:
        self._stream = stream
        self._recording = recording
        self._broken = broken

    def __iter__(self) -> Iterator[bytes]:
        try:
            for piece in self._stream:
                self._recording.heard(piece)
                yield piece
        except self._broken as error:
            self._recording.end(error=said(error))
            raise
        self._recording.end(complete=True)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for piece in self._stream:
                self._recording.heard(piece)
                yield piece
        except self._broken as error:
            self._recording.end(error=said(error))
            raise
        self._recording.end(complete=True)

    def close(self) -> None:
        """Let go of the answer; the body of a refusal is read first, because it is what the recording is about."""
        try:
            if self._recording.is_unread_refusal:
                for piece in self._stream:
                    self._recording.heard(piece)
                self._recording.end(complete=True)
        except self._broken as error:
            self._recording.end(error=said(error))
        finally:
            self._recording.end()
            self._stream.close()

    async def aclose(self) -> None:
        """Let go of the answer; see `close`."""
        try:
            if self._recording.is_unread_refusal:
                async for piece in self._stream:
                    self._recording.heard(piece)
                self._recording.end(complete=True)
        except self._broken as error:
            self._recording.end(error=said(error))
        finally:
            self._recording.end()
            await self._stream.aclose()


def said(error: Exception) -> str:
    """Return an error in one line: its class and its text."""
    return f"{type(error).__name__}: {error}"
