"""Logical calls: what the application sees as one call is marked as one, by whoever is outermost."""

from __future__ import annotations

import asyncio
from contextvars import Token

from llmtest.clock import Clock, active_clock
from llmtest.events import CallEnded, CallStarted, LogicalCall, begin_call, current_call, publish
from llmtest.types import CompletionResponse, StreamEvent

__all__ = ["Marks", "begin", "end"]


def begin(label: str, clock: Clock) -> tuple[LogicalCall, Token[LogicalCall | None]]:
    """Begin a logical call; the token resets `current_call`."""
    mark = begin_call(label)
    publish(CallStarted(clock.now_ns(), mark.id, label))
    return mark, current_call.set(mark)


def end(
    mark: LogicalCall,
    clock: Clock,
    start_ns: int,
    error: BaseException | None,
    response: CompletionResponse | None = None,
    first_token_ns: int | None = None,
) -> None:
    """Say how a logical call ended."""
    outcome = "ok"
    if error is not None:
        outcome = "cancelled" if _is_cancellation(error) else type(error).__name__
    provider = model = None
    if response is not None:
        provider, model = response.provider, response.model
        if response.attempts:
            model = response.attempts[-1].model
    publish(CallEnded(clock.now_ns(), mark.id, mark.label, outcome, provider, model, start_ns, first_token_ns))


def _is_cancellation(error: BaseException) -> bool:
    return isinstance(error, asyncio.CancelledError | GeneratorExit | KeyboardInterrupt | SystemExit)


class Marks:
    """The mark of one stream: set while the stream runs, and only then.

    A generator shares the context of whoever reads it, so the mark is set for each step and taken away after it.

    Args:
        label: Name of the call.
    """

    __slots__ = ("_first_token_ns", "_is_ended", "_is_own", "_label", "_mark", "_start_ns", "_token", "response")

    def __init__(self, label: str) -> None:
        self._label = label
        self._mark: LogicalCall | None = None
        self._is_own = False
        self._is_ended = False
        self._token: Token[LogicalCall | None] | None = None
        self._start_ns = 0
        self._first_token_ns: int | None = None
        self.response: CompletionResponse | None = None

    @property
    def id(self) -> int:
        """Number of the logical call; the stream has been entered."""
        return 0 if self._mark is None else self._mark.id

    @property
    def is_begun(self) -> bool:
        """Whether anything was read."""
        return self._mark is not None

    def enter(self) -> None:
        """Begin or go on."""
        if self._mark is None:
            clock = active_clock()
            self._start_ns = clock.now_ns()
            self._mark = current_call.get()
            if self._mark is None:
                self._is_own = True
                self._mark = begin_call(self._label)
                publish(CallStarted(self._start_ns, self._mark.id, self._label))
        self._token = current_call.set(self._mark)

    def leave(self) -> None:
        """Pause, or stop for good."""
        if self._token is not None:
            current_call.reset(self._token)
            self._token = None

    def note(self, event: StreamEvent) -> None:
        """Look at an event on its way to the reader."""
        if event.response is not None:
            self.response = event.response
        elif self._first_token_ns is None and event.visible:
            self._first_token_ns = active_clock().now_ns()

    def end(self, error: BaseException | None) -> None:
        """Say, once, how the call ended."""
        if self._is_own and not self._is_ended and self._mark is not None:
            self._is_ended = True
            end(self._mark, active_clock(), self._start_ns, error, self.response, self._first_token_ns)
