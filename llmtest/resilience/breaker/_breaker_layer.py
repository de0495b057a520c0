"""The circuit of a place, around whatever asks it."""

from __future__ import annotations

from functools import partial

from llmtest.errors import QuotaExceededError, RateLimitedError
from llmtest.resilience._classification import conduct_of
from llmtest.resilience.breaker._breaker import CircuitBreaker
from llmtest.resilience.breaker._breaker_store import CircuitAdmission
from llmtest.resilience.pipeline._layers import AskPlace, Result
from llmtest.resilience.pipeline._open_stream import OpenStream
from llmtest.resilience.pipeline._running_slot import RunningSlot
from llmtest.resilience.pipeline._sync_async import ASYNC
from llmtest.resilience.pipeline._visit import Visit
from llmtest.types import CompletionResponse

__all__ = ["BREAKER", "BreakerLayer", "Guarded"]


class BreakerLayer:
    """Asks a place only as far as its circuit allows, and tells the circuit what came of it."""

    kind = "circuit_breaker"

    def around(self, place: RunningSlot, further: AskPlace) -> AskPlace:
        """Put the circuit of a place around what asks it; a place without one is left as it is."""
        return further if place.breaker is None else Guarded(place.breaker, further).ask


BREAKER = BreakerLayer()
"""The layer as a chain has it: the circuit of each slot."""


class Guarded:
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
        breaker, clock = self._breaker, visit.call.clock
        time_ns = clock.time_ns if breaker.is_shared else clock.now_ns
        awaits = breaker.is_remote and visit.call.parts is ASYNC
        if awaits:
            admission = await breaker.admit_async(time_ns(), forced=visit.forced)
        else:
            admission = breaker.admit(time_ns(), forced=visit.forced)
        try:
            result = await self._further(visit)
        except BaseException as error:
            now_ns = time_ns()
            if awaits and isinstance(error, Exception) and self._counts(visit, error):
                await breaker.record_async(admission, now_ns, "failure", now_ns - admission.at_ns, error)
            else:
                self._report(visit, admission, error, now_ns - admission.at_ns)
            raise
        if isinstance(result, OpenStream):
            took_ns = time_ns() - admission.at_ns if breaker.is_timed else None
            result.at_end(partial(self._stream_ended, visit, admission, took_ns))
            return result
        now_ns = time_ns()
        if awaits:
            await breaker.record_async(admission, now_ns, "success", now_ns - admission.at_ns)
        else:
            breaker.success(admission, now_ns, now_ns - admission.at_ns)
        return result

    def _stream_ended(
        self,
        visit: Visit,
        admission: CircuitAdmission,
        took_ns: int | None,
        stream: OpenStream,
        end: CompletionResponse | BaseException,
    ) -> None:
        if isinstance(end, BaseException) and not stream.is_finished:
            self._report(visit, admission, end, took_ns)
        else:
            self._breaker.success(admission, self._breaker.time_ns(visit.call.clock), took_ns)

    @staticmethod
    def _counts(visit: Visit, error: BaseException) -> bool:
        return conduct_of(error).counts and not visit.call.is_over(error)

    def _report(self, visit: Visit, admission: CircuitAdmission, error: BaseException, took_ns: int | None) -> None:
        """Tell the circuit how an admitted call failed, and give its permit back."""
        breaker, call, place = self._breaker, visit.call, visit.place
        now_ns = breaker.time_ns(call.clock)
        if self._counts(visit, error):
            breaker.failure(admission, now_ns, error, took_ns)
            return
        if breaker.config.count_rate_limits and isinstance(error, RateLimitedError):
            breaker.failure(admission, now_ns, error, took_ns)
        breaker.release(admission)
        if isinstance(error, RateLimitedError | QuotaExceededError):
            seconds = error.retry_after
            if seconds is None and isinstance(error, QuotaExceededError):
                seconds = breaker.config.quota_cooldown
            if seconds:
                others = place.account if isinstance(error, QuotaExceededError) else ()
                for peer in dict.fromkeys((*place.peers, *others)):
                    if peer.breaker is not None:
                        peer.breaker.cool_down(seconds, peer.breaker.time_ns(call.clock), error)
