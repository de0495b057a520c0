"""A `Plan` performed without a network and read by the client half of the endpoint."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

from llmtest.errors import ProviderConnectionError, ProviderError, ProviderTimeoutError, StreamInterruptedError
from llmtest.simulation.plan._plan import Chunk, Failure, Head, Plan, Wait
from llmtest.types import CompletionResponse, StreamEvent
from llmtest.wire import Endpoint, StreamDecoder

if TYPE_CHECKING:
    from llmtest.simulation.direct._limited_wait import LimitedWait

__all__ = ["end_word", "read_body", "read_stream"]

RESET = "[Errno 104] Connection reset by peer"
REFUSED = "[Errno 111] Connection refused"
CLOSED = "Server disconnected without sending a response."
INCOMPLETE = "peer closed connection without sending complete message body (incomplete chunked read)"


def end_word(error: ProviderError, planned: str = "") -> str:
    """Return the outcome of an answer that ended in an error: as planned, or by the client's own limit."""
    if isinstance(error, ProviderTimeoutError) and error.status is None:
        return "timeout"
    if isinstance(error, StreamInterruptedError) and error.kind == "stalled":
        return "stalled"
    if planned == "200" and isinstance(error, StreamInterruptedError) and error.kind == "malformed":
        return "abandoned"  # The stream would have gone on.
    return planned


def _broken(kind: str) -> ProviderConnectionError:
    texts = {"connect_refused": REFUSED, "reset": RESET, "closed": CLOSED, "incomplete": INCOMPLETE}
    error = ProviderConnectionError(texts[kind])
    error.kind = "refused" if kind == "connect_refused" else "reset" if kind == "reset" else "closed"
    error.accepted = kind == "incomplete"
    return error


async def _until_failure(failure: Failure, wait: LimitedWait, *, begun: bool) -> ProviderConnectionError:
    """Wait out a silence, which raises at the caller's limit, or return how the connection broke."""
    if failure.kind == "connect_timeout":
        await wait.until_connected()
    if failure.kind == "read_timeout":
        await (wait.until_piece if begun else wait.until_head)(None)
    return _broken(failure.kind)


async def read_body(plan: Plan, endpoint: Endpoint, wait: LimitedWait) -> CompletionResponse:
    """Read a whole answer.

    Raises:
        ProviderError: The answer is an error, cannot be read, or did not come.
    """
    head: Head | None = None
    body = b""
    for step in plan.steps:
        if isinstance(step, Wait):
            await (wait.until_head if head is None else wait.until_piece)(step.ns)
        elif isinstance(step, Head):
            head = step
        elif isinstance(step, Chunk):
            body += step.data
        else:
            raise await _until_failure(step, wait, begun=head is not None)
    assert head is not None
    headers = dict(head.headers)
    if head.status >= 400:
        raise endpoint.decode_error(head.status, headers, body, now=wait.now())
    response: CompletionResponse = endpoint.decode_answer(body, headers)
    return response


async def read_stream(plan: Plan, endpoint: Endpoint, wait: LimitedWait) -> AsyncGenerator[StreamEvent, None]:
    """Read a streamed answer.

    Raises:
        ProviderError: The answer is an error, cannot be read, did not come, or broke.
    """
    head: Head | None = None
    decoder: StreamDecoder | None = None
    body = b""
    for step in plan.steps:
        if isinstance(step, Head):
            head = step
            if head.status < 400:
                decoder = endpoint.stream_decoder(dict(head.headers))
        elif isinstance(step, Chunk):
            if decoder is None:
                body += step.data
                continue
            for event in decoder.feed(step.data):
                yield event
                wait.limits.has_begun = wait.limits.has_begun or event.visible
        else:
            await _between(step, decoder, wait)
    assert head is not None
    if decoder is None:
        raise endpoint.decode_error(head.status, dict(head.headers), body, now=wait.now())
    for event in decoder.close():
        yield event


async def _between(step: Wait | Failure, decoder: StreamDecoder | None, wait: LimitedWait) -> None:
    """Let time pass inside or before a stream, or break it."""
    if decoder is None:
        if isinstance(step, Wait):
            await wait.until_head(step.ns)
            return
        raise await _until_failure(step, wait, begun=False)
    if isinstance(step, Failure) and step.kind != "read_timeout":
        if not wait.limits.has_begun:
            raise _broken(step.kind)
        raise decoder.interrupted("dropped", INCOMPLETE)
    ns = step.ns if isinstance(step, Wait) else None
    if not wait.limits.has_begun:
        await wait.until_piece(ns)
        return
    try:
        await wait.until_piece(ns)
    except ProviderTimeoutError as error:
        raise decoder.interrupted("stalled", str(error)) from error
