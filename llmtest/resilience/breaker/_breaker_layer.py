"""The circuit of a place, around whatever asks it."""

from __future__ import annotations

from functools import partial

from llmtest.errors import QuotaExceededError, RateLimitedError
from llmtest.resilience._classification import conduct_of
from llmtest.resilience.breaker._breaker import Admission, CircuitBreaker
from llmtest.resilience.pipeline._layers import AskPlace, Result
from llmtest.resilience.pipeline._open_stream import OpenStream
from llmtest.resilience.pipeline._running_slot import RunningSlot
from llmtest.resilience.pipeline._visit import Visit
from llmtest.types import CompletionResponse

__all__ = ["BREAKER", "BreakerLayer"]


class BreakerLayer:
    """Asks a place only as far as its circuit allows, and tells the circuit what came of it."""

    def around(self, place: RunningSlot, further: AskPlace) -> AskPlace:
        """Put the circuit of a place around what asks it; a place without one is left as it is."""
        return further if place.breaker is None else _Guarded(place.breaker, further).ask


BREAKER = BreakerLayer()
"""The layer as a chain has it: the circuit of each slot."""


class _Guarded:
    """What asks one place, inside its circuit.

    Args:
        breaker: The circuit.
        further: What asks the place.
    """

    __slots__ = ("_breaker", "_further")

    def __init__(self, breaker: CircuitBreaker, further: AskPlace) -> None:
        self._breaker = breaker
        self._further = further

    async def ask(self, visit: Visit) -> Result:
        breaker = self._breaker
        clock = visit.call.clock
        admission = breaker.admit(clock.now_ns(), forced=visit.forced)
        try:
            result = await self._further(visit)
        except BaseException as error:
            self._report(visit, admission, error)
            raise
        if isinstance(result, OpenStream):
            result.at_end(partial(self._stream_ended, visit, admission))
        else:
            breaker.success(admission, clock.now_ns())
        return result

    def _stream_ended(
        self, visit: Visit, admission: Admission, stream: OpenStream, end: CompletionResponse | BaseException
    ) -> None:
        if isinstance(end, BaseException) and not stream.is_finished:
            self._report(visit, admission, end)
        else:
            self._breaker.success(admission, visit.call.clock.now_ns())

    def _report(self, visit: Visit, admission: Admission, error: BaseException) -> None:
        """Tell the circuit how an admitted call failed, and give its permit back."""
        breaker, call, place = self._breaker, visit.call, visit.place
        now_ns = call.clock.now_ns()
        if conduct_of(error).counts and not call.is_over(error):
            breaker.failure(admission, now_ns, error)
            return
        if breaker.config.count_rate_limits and isinstance(error, RateLimitedError):
            breaker.failure(admission, now_ns, error)
        breaker.release(admission)
        if isinstance(error, RateLimitedError | QuotaExceededError):
            seconds = error.retry_after
            if seconds is None and isinstance(error, QuotaExceededError):
                seconds = breaker.config.quota_cooldown
            if seconds:
                others = place.account if isinstance(error, QuotaExceededError) else ()
                for peer in dict.fromkeys((*place.peers, *others)):
                    if peer.breaker is not None:
                        peer.breaker.cool_down(seconds, now_ns, error)
