"""What a simulated provider charges for: a failed request can be billed, a refused one never is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmtest.costs import partial_usage
from llmtest.errors import ProviderError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from llmtest.simulation.plan._answer import Answer
    from llmtest.types import StreamEvent, Usage
    from llmtest.wire import Endpoint

__all__ = ["bill_of", "events_in", "note_unsent", "said_in"]

GIVEN_UP = frozenset({"abandoned", "timeout", "stalled"})
"""Outcomes in which the client waited no longer, whatever the provider was about to say."""


def bill_of(answer: Answer, outcome: str) -> Usage | None:
    """Return what a request is billed; None where nothing is.

    An answer that was handed over whole is billed its usage. A request that was taken on and not answered whole
    (cancelled, timed out, a stream that broke or was left, a body that cannot be read) is billed its prompt and what
    was handed over, by the estimate that its client can make as well (`llmtest.costs.partial_usage`). Not billed are
    refusals, connections that failed before an answer, a gateway's page and an empty body.

    Args:
        answer: What was decided, and how much of it the client was told.
        outcome: What came of it.
    """
    response = answer.response
    failed = answer.error is not None or answer.failure is not None or answer.recorded_error is not None
    is_unread = answer.raw is not None and not answer.raw.is_billed
    if is_unread or not answer.is_conversation:
        free = is_unread or response is None or failed or answer.body_fault is not None
        return None if free or response is None else response.usage
    if outcome in GIVEN_UP:
        if answer.failure == "connect_timeout":
            return None
    elif failed:
        return None
    elif outcome == "200":
        return None if response is None or answer.body_fault is not None else response.usage
    elif outcome == "truncated" and answer.stream and not answer.told:
        return None
    return partial_usage(answer.prompt_tokens, answer.told or (), most=answer.max_tokens)


def note_unsent(error: BaseException) -> None:
    """Note on whatever ends an attempt that its request never reached the provider, so that nobody counts on a bill.

    Of a cancellation alone a client could not tell.
    """
    error.accepted = False  # type: ignore[attr-defined]  # any exception can carry it, errors of providers have it


def events_in(pieces: Iterable[bytes], endpoint: Endpoint) -> list[StreamEvent]:
    """Return what a client reads from the pieces of a stream, as far as they can be read."""
    if not endpoint.has("stream_decoder"):
        return []
    decoder = endpoint.stream_decoder()
    found: list[StreamEvent] = []
    for piece in pieces:
        try:
            found += decoder.feed(piece)
        except ProviderError:
            break
    return found


def said_in(told: Iterable[StreamEvent]) -> str:
    """Return the text in what a client was told of a stream."""
    return "".join(event.text for event in told if event.kind == "text")
