"""Faults in which an answer begins well and does not end well: late, broken, or not what it should be.

`after_chunks` counts pieces of the answer that the client gets to see. With 0 the stream opens and breaks before the
first of them. An answer with fewer pieces breaks after its last one, before its end. A request that asked for no stream
meets a stream fault in its single body: dropped, truncated or stalled half-way; `StreamError` is then the plain error,
and `StreamMalformed` a malformed body.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from llmtest.errors import ConfigurationError, ProviderError
from llmtest.faults._fault import FAULTS, Fault, Stage, check_count, check_seconds
from llmtest.faults._refusals import Overloaded

__all__ = [
    "EmptyResponse",
    "MalformedBody",
    "SlowFirstToken",
    "StreamDropped",
    "StreamError",
    "StreamMalformed",
    "StreamStalled",
    "StreamTruncated",
    "WrongContentType",
]


@dataclass(frozen=True, slots=True)
class MalformedBody(Fault):
    """A 200 whose JSON stops in the middle; in a stream, a first event whose JSON does."""

    stage: ClassVar[Stage] = "body"


@dataclass(frozen=True, slots=True)
class WrongContentType(Fault):
    """A 200 that carries a gateway's HTML page instead of an answer."""

    stage: ClassVar[Stage] = "body"


@dataclass(frozen=True, slots=True)
class EmptyResponse(Fault):
    """A 200 with no body at all; a stream that opens and ends."""

    stage: ClassVar[Stage] = "body"


@dataclass(frozen=True, slots=True)
class SlowFirstToken(Fault):
    """The answer is right and late: a stream opens at once and its first piece comes after `seconds`.

    Without a stream the whole answer is late. The text is the handle's default (`echoes`, `generates`), else filler.

    Args:
        seconds: How late, 0 or more.
    """

    stage: ClassVar[Stage] = "latency"

    seconds: float

    def _check(self) -> None:
        check_seconds(self, "seconds", self.seconds, example="SlowFirstToken(seconds=20)")


@dataclass(frozen=True, slots=True)
class _StreamFault(Fault):
    stage: ClassVar[Stage] = "stream"

    after_chunks: int

    def _check(self) -> None:
        check_count(self, "after_chunks", self.after_chunks)


@dataclass(frozen=True, slots=True)
class StreamDropped(_StreamFault):
    """The connection breaks inside the stream: the chunked body stays incomplete, which every client notices.

    Args:
        after_chunks: Visible pieces before it, 0 or more.
    """


@dataclass(frozen=True, slots=True)
class StreamTruncated(_StreamFault):
    """The stream ends cleanly and too early, without its terminator. No official SDK notices.

    Args:
        after_chunks: Visible pieces before it, 0 or more.
    """


@dataclass(frozen=True, slots=True)
class StreamStalled(_StreamFault):
    """The stream falls silent with the connection open.

    Args:
        after_chunks: Visible pieces before it, 0 or more.
        seconds: How long; then the stream goes on. None: for ever.
    """

    seconds: float | None = None

    def _check(self) -> None:
        check_count(self, "after_chunks", self.after_chunks)
        check_seconds(self, "seconds", self.seconds, example="StreamStalled(after_chunks=2, seconds=120)")


@dataclass(frozen=True, slots=True)
class StreamError(_StreamFault):
    """The provider reports an error inside the stream, as an event of its API, after its 200.

    Args:
        after_chunks: Visible pieces before it, 0 or more.
        error: Which error: any fault that is answered by one, such as `RateLimited()`. None: an overload. Without a
            stream it is answered as it is.

    Raises:
        ConfigurationError: `error` is no fault, or one that no event can tell.

    Example:
        >>> str(StreamError(2, error=Overloaded(retry_after=30)))
        'stream_error(after_chunks=2, error=Overloaded(retry_after=30))'
    """

    error: Fault | None = None

    def _check(self) -> None:
        check_count(self, "after_chunks", self.after_chunks)
        if self.error is None:
            return
        told: Any = self.error
        if not isinstance(told, Fault) or told.stage != "abort" or told.refusal(None) is None:
            shown = f"{told.__name__}" if isinstance(told, type) else repr(told)
            raise ConfigurationError(
                f"StreamError: error must be a fault that is answered by an error, got {shown}.\n\n"
                "To fix: StreamError(after_chunks=2, error=RateLimited(retry_after=30))"
            )

    @property
    def told(self) -> Fault:
        """The fault whose error the stream tells."""
        return Overloaded() if self.error is None else self.error

    def refusal(self, model: str | None) -> ProviderError | None:
        """Return what the event, or the plain answer, says."""
        return self.told.refusal(model)


@dataclass(frozen=True, slots=True)
class StreamMalformed(_StreamFault):
    """An event of the stream carries JSON that stops in the middle.

    Args:
        after_chunks: Visible pieces before it, 0 or more.
        continues: Whether the events after it come as if nothing had happened; else the stream ends there.
    """

    continues: bool = False

    def _check(self) -> None:
        check_count(self, "after_chunks", self.after_chunks)
        if not isinstance(self.continues, bool):
            raise ConfigurationError(
                f"StreamMalformed: continues must be True or False, got {self.continues!r}.\n\n"
                "To fix: StreamMalformed(after_chunks=2, continues=True)"
            )


del FAULTS[_StreamFault.name]
