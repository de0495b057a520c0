"""Streams past their commit point: what was shown is the caller's, and what is left to do is to end well.

A success is counted when the stream has ended as it should, never when it opened (design D5).
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from typing import TYPE_CHECKING, Literal, get_args

from llmtest.errors import (
    ConfigurationError,
    InvalidResponseError,
    LLMTestError,
    ProviderConnectionError,
    ProviderTimeoutError,
    StreamInterruptedError,
)
from llmtest.types import CompletionResponse, StreamEvent, Usage

if TYPE_CHECKING:
    from llmtest.resilience.pipeline._running_attempt import RunningAttempt

__all__ = ["OpenStream", "StreamCommit", "check_commit", "deliver"]

StreamCommit = Literal["first_token", "end"]
"""From which of its pieces on a stream may no longer be replaced."""

NO_TERMINATOR = "the stream ended without its terminator"
Kind = Literal["truncated", "dropped", "stalled", "error", "malformed"]
Watcher = Callable[["OpenStream", CompletionResponse | BaseException], None]


def check_commit(chain: str, commit: str) -> None:
    """Refuse a word that names no commit point.

    Raises:
        ConfigurationError: It is none.
    """
    if commit not in get_args(StreamCommit):
        raise ConfigurationError(f"stream_commit of chain `{chain}` is `first_token` or `end`, got {commit!r}")


class OpenStream:
    """A stream past its commit point: what it has shown, what is to come, and who has to be told at its end.

    Args:
        source: Its events.
        attempt: The attempt that it is the answer to; None where no provider was asked.
    """

    __slots__ = ("_watchers", "attempt", "held", "is_finished", "is_over", "source", "told")

    def __init__(self, source: AsyncGenerator[StreamEvent, None], attempt: RunningAttempt | None = None) -> None:
        self.source = source
        self.attempt = attempt
        self.held: list[StreamEvent] = []
        """What came before the commit point, and is not handed over yet."""
        self.told: list[StreamEvent] = []
        """Every event that came."""
        self.is_finished = False
        """Whether the model has said that it is done."""
        self.is_over = False
        """Whether it has ended as it should, and been recorded."""
        self._watchers: list[Watcher] = []

    def at_end(self, watcher: Watcher) -> None:
        """Have a layer told once how this stream ended: with the whole answer, or with what broke it or gave it up."""
        self._watchers.append(watcher)

    def tell(self, end: CompletionResponse | BaseException) -> None:
        """Tell every layer how it ended, the innermost first."""
        for watcher in self._watchers:
            watcher(self, end)

    def note(self, event: StreamEvent) -> None:
        """Keep what an event adds to the answer."""
        self.told.append(event)
        if event.kind == "finish":
            self.is_finished = True

    @property
    def text(self) -> str:
        """The text that came."""
        return "".join(event.text for event in self.told if event.kind == "text")

    @property
    def usage(self) -> Usage | None:
        """What the provider last told of its usage."""
        return next((event.usage for event in reversed(self.told) if event.usage is not None), None)

    async def commit(self, *, to_end: bool = False) -> None:
        """Read until something is visible, or the stream has ended as it should.

        Args:
            to_end: Read to its end, whatever is visible: nothing of it is handed over before.

        Raises:
            StreamInterruptedError: It ended without its terminator, and nothing was handed over.
        """
        try:
            async for event in self.source:
                self.note(event)
                self.held.append(event)
                if event.kind == "end" or (event.visible and not to_end):
                    return
        except StreamInterruptedError as error:
            error.visible = error.visible and not to_end
            raise
        raise self.interrupted("truncated", NO_TERMINATOR, visible=False)

    def interrupted(self, kind: Kind, message: str, *, visible: bool) -> StreamInterruptedError:
        """Make the error of this stream, with what had arrived."""
        attempt = self.attempt
        provider, model = (None, None) if attempt is None else (attempt.place.name, attempt.model)
        error = StreamInterruptedError(message, provider=provider, model=model, status=200)
        error.kind = kind
        error.partial_text = self.text
        error.partial_usage = self.usage
        error.visible = visible
        return error

    def broken(self, error: LLMTestError) -> LLMTestError:
        """Turn whatever broke the stream after its commit point into the one error that says so."""
        if isinstance(error, StreamInterruptedError):
            error.visible = True
            if not error.partial_text:
                error.partial_text = self.text
            error.partial_usage = error.partial_usage or self.usage
            return error
        kind: Kind = "error"
        if isinstance(error, ProviderTimeoutError):
            kind = "stalled"
        elif isinstance(error, ProviderConnectionError):
            kind = "dropped"
        elif isinstance(error, InvalidResponseError):
            kind = "malformed"
        broken = self.interrupted(kind, str(error), visible=True)
        broken.__cause__ = error
        return broken


async def deliver(stream: OpenStream) -> AsyncGenerator[StreamEvent, None]:
    """Hand a committed stream to the caller, and report at its end how it went.

    Raises:
        StreamInterruptedError: It broke; the error has what had arrived.
    """
    try:
        for event in stream.held:
            yield _completed(stream, event) if event.kind == "end" else event
        if not stream.is_over:
            async for event in stream.source:
                stream.note(event)
                yield _completed(stream, event) if event.kind == "end" else event
        if not stream.is_over:
            raise stream.interrupted("truncated", NO_TERMINATOR, visible=True)  # noqa: TRY301 - ends like any other break
    except LLMTestError as error:
        if stream.is_over:
            raise
        broken = stream.broken(error)
        _ended_badly(stream, broken)
        if broken is error:
            raise
        raise broken from error
    except BaseException as error:
        if not stream.is_over:
            _ended_badly(stream, error)
        raise
    finally:
        await stream.source.aclose()


def _completed(stream: OpenStream, event: StreamEvent) -> StreamEvent:
    """Record a stream that ended as it should; return its last event with every attempt in it."""
    response = event.response
    assert response is not None, "an `end` event carries the response"
    stream.is_over = True
    attempt = stream.attempt
    if attempt is not None:
        response = attempt.succeeded(response)
        attempt.place.successes += 1
    stream.tell(response)
    return StreamEvent("end", response=response)


def _ended_badly(stream: OpenStream, error: BaseException) -> None:
    """Record a stream that broke or was given up after its commit point."""
    attempt = stream.attempt
    if attempt is not None:
        attempt.failed(error, stream.told)
        if isinstance(error, Exception):
            attempt.place.calls_failed += 1
    stream.tell(error)
