"""What a call gets that is answered from the cache: nothing of it costs anything, and it says so."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

from llmtest.events import CacheHit, publish
from llmtest.resilience.cache._cached_answer import own_copy, own_event
from llmtest.resilience.pipeline._open_stream import OpenStream
from llmtest.types import Attempt, CompletionResponse, StreamEvent, Usage

if TYPE_CHECKING:
    from llmtest.resilience.cache._cached_answer import CachedAnswer
    from llmtest.resilience.pipeline._layers import Result
    from llmtest.resilience.pipeline._running_call import RunningCall

__all__ = ["as_result"]

NS = 1_000_000_000
ZERO = Decimal(0)
NOTHING_USED = Usage()


async def as_result(call: RunningCall, answer: CachedAnswer, age_ns: int, similarity: float | None) -> Result:
    """Return a kept answer as a call gets it, and tell the trace.

    Args:
        call: The call.
        answer: The answer.
        age_ns: For how long it has been kept.
        similarity: How alike the request was that it was given to; None: it was equal.
    """
    now_ns = call.clock.now_ns()
    provider, model = answer.provider, answer.model
    attempt = Attempt(provider, model, now_ns, now_ns, "cache_hit", NOTHING_USED, False, ZERO)
    call.attempts.append(attempt)
    publish(CacheHit(now_ns, call.id, provider, model, age_ns / NS, similarity))
    kept = own_copy(answer.response)
    response = CompletionResponse(
        parts=kept.parts,
        finish_reason=kept.finish_reason,
        raw_finish_reason=kept.raw_finish_reason,
        usage=_free(kept.usage),
        model=kept.model,
        id=kept.id,
        provider=provider,
        request_id=kept.request_id,
        alternatives=kept.alternatives,
        attempts=tuple(call.attempts),
        extra=kept.extra,
        service_tier=kept.service_tier,
    )
    if not call.streaming:
        return response
    stream = OpenStream(_replayed(answer, response))
    await stream.commit()
    return stream


async def _replayed(answer: CachedAnswer, response: CompletionResponse) -> AsyncGenerator[StreamEvent, None]:
    for event in answer.events or ():
        yield own_event(event) if event.usage is None else replace(event, usage=_free(event.usage))
    yield StreamEvent("end", response=response)


def _free(usage: Usage) -> Usage:
    """Return the tokens of an answer without the price that its provider stated: this time nobody is paid."""
    return usage if usage.cost_usd is None else replace(usage, cost_usd=ZERO)
