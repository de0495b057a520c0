"""What all stream decoders share: keeping what had arrived, and telling an error only after the events before it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any, Literal

from llmtest.errors import InvalidResponseError, ProviderError, StreamInterruptedError
from llmtest.types import CompletionResponse, StreamEvent, Usage
from llmtest.wire.framing._framing import SSE, Framing
from llmtest.wire.framing._sse import ServerSentEvent


class EventDecoder(ABC):
    """A decoder of streamed events; a dialect adds `take` (one event) and `assemble` (the whole answer).

    `take` sets `done` at the last event: a terminator, or, where an API has none, the event that says why it ended.

    Args:
        request_id: The provider's id of the request.
        framing: How the stream is cut.
    """

    def __init__(self, request_id: str | None, framing: Framing = SSE) -> None:
        self.done = False
        self.request_id = request_id
        self.usage: Usage | None = None
        self._parser = framing.parser()
        self._text: list[str] = []
        self._visible = False
        self._error: ProviderError | None = None
        self._first = b""
        self._received = 0

    @abstractmethod
    def take(self, event: ServerSentEvent, out: list[StreamEvent]) -> None:
        """Read one event; append what it says to `out`."""

    @abstractmethod
    def assemble(self) -> CompletionResponse:
        """Return the whole answer."""

    def feed(self, data: bytes) -> list[StreamEvent]:
        """Take the next bytes; return the events that they complete."""
        if self._error is not None:
            raise self._error
        self._received += len(data)
        if len(self._first) < 200:
            self._first += data[:200]
        out: list[StreamEvent] = []
        if self.done:
            return out
        for event in self._parser.feed(data):
            try:
                self.take(event, out)
            except (ProviderError, TypeError, AttributeError, ValueError, KeyError) as error:
                self._error = error if isinstance(error, ProviderError) else self.malformed(event.data, error)
                if out:
                    return out
                raise self._error from error.__cause__
            if self.done:
                break
        return out

    def close(self) -> list[StreamEvent]:
        """Say that no more bytes come; return the `end` event."""
        if self._error is not None:
            raise self._error
        if not self.done:
            if not self._parser.saw_event and self._first.strip() and self._first.lstrip()[:1] in b"{[<":
                start = self._first[:80].decode(errors="replace").strip()
                raise InvalidResponseError(
                    f"expected a stream, got: {start}", status=200, request_id=self.request_id, body=self._first
                )
            raise self.interrupted("truncated", "the stream ended without its terminator")
        return [StreamEvent("end", response=self.assemble())]

    def note(self, events: Iterable[StreamEvent]) -> None:
        """Remember what the caller will have seen."""
        for event in events:
            if event.kind == "text":
                self._text.append(event.text)
            self._visible = self._visible or event.visible

    def interrupted(
        self, kind: Literal["truncated", "dropped", "stalled", "error", "malformed"], message: str, **facts: Any
    ) -> StreamInterruptedError:
        """Make the error of a stream that broke, with the text and usage that had arrived."""
        error = StreamInterruptedError(message, status=200, request_id=self.request_id, **facts)
        error.kind = kind
        error.partial_text = "".join(self._text)
        error.partial_usage = self.usage
        error.visible = self._visible
        error.bytes_received = self._received
        return error

    def failed(self, cause: ProviderError) -> StreamInterruptedError:
        """Make the error of a stream in which the provider said that it failed."""
        error = self.interrupted(
            "error", cause.message, code=cause.code, retry_after=cause.retry_after, body=cause.body
        )
        error.__cause__ = cause
        return error

    def malformed(self, data: str, reason: object = "no JSON object") -> StreamInterruptedError:
        """Make the error of an event that cannot be read."""
        return self.interrupted("malformed", f"an event of the stream cannot be read ({reason}): {data[:80]}")
