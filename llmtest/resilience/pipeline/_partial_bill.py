"""What a provider bills for an attempt that gave no whole answer, as far as a client can know it."""

from __future__ import annotations

from collections.abc import Sequence

from llmtest.costs import estimate_request_tokens, partial_usage
from llmtest.errors import (
    InvalidResponseError,
    ProviderError,
    ProviderTimeoutError,
    StreamInterruptedError,
)
from llmtest.types import CompletionRequest, StreamEvent, Usage

__all__ = ["bill_of"]


def bill_of(request: CompletionRequest, error: BaseException, events: Sequence[StreamEvent] = ()) -> Usage | None:
    """Return what is billed for an attempt that ended in an error; None where nothing is.

    A provider bills every request that it has taken on: one that was cancelled or timed out while it was being
    answered, a stream that broke or was left, an answer that cannot be read. It does not bill what it refused, what
    never reached it, and what somebody else answered in its place. The amount is `partial_usage`, never zero.

    Args:
        request: The request.
        error: What ended the attempt; a cancellation too.
        events: What had come of a stream.
    """
    if not _is_accepted(error, events):
        return None
    if isinstance(error, StreamInterruptedError) and not events:
        events = _told_by(error)
    late = error.late if isinstance(error, ProviderError) else ()
    if not late and isinstance(error.__cause__, ProviderError):
        late = error.__cause__.late
    return partial_usage(estimate_request_tokens(request), (*events, *late), most=request.max_tokens)


def _is_accepted(error: BaseException, events: Sequence[StreamEvent]) -> bool:
    """Tell whether the provider had taken the request on when the attempt ended."""
    known: bool | None = getattr(error, "accepted", None)
    if known is not None:
        return known
    if isinstance(error, StreamInterruptedError):
        # A stream that opened, said nothing at all and ended in good order came from no model.
        return error.kind != "truncated" or bool(events or error.partial_text or error.partial_usage)
    if isinstance(error, ProviderTimeoutError):
        return error.phase in {"first_token", "read", "throughput", "total"} and error.status is None
    if isinstance(error, InvalidResponseError):
        return error.body is None or not _is_foreign(error.body)
    # Whoever is cancelled or interrupted has sent the request, as far as anybody can tell; a refusal, or a connection
    # that did not hold, is no answer.
    return not isinstance(error, Exception)


def _is_foreign(body: bytes) -> bool:
    """Tell whether a body is no model's: empty, or the page of a gateway."""
    return not body.strip() or body.lstrip()[:1] == b"<"


def _told_by(error: StreamInterruptedError) -> tuple[StreamEvent, ...]:
    """Return what a broken stream's own error says had come."""
    text = (StreamEvent("text", error.partial_text),) if error.partial_text else ()
    usage = error.partial_usage
    return text if usage is None else (*text, StreamEvent("usage", usage=usage))
