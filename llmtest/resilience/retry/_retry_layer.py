"""The retries of a place, around whatever asks it once."""

from __future__ import annotations

from llmtest.clock import uniform
from llmtest.errors import CircuitOpenError, ProviderTimeoutError
from llmtest.events import RetryScheduled, publish
from llmtest.resilience._classification import outcome_of
from llmtest.resilience.pipeline._layers import AskPlace, Result
from llmtest.resilience.pipeline._running_call import NS
from llmtest.resilience.pipeline._running_slot import RunningSlot
from llmtest.resilience.pipeline._visit import Visit
from llmtest.resilience.retry._retry import RetryConfig

__all__ = ["RETRY", "RetryLayer"]


class RetryLayer:
    """Asks a place again, as long as its settings, the call's deadline and the budget of retries allow."""

    def around(self, place: RunningSlot, further: AskPlace) -> AskPlace:
        """Put the retries of a place around what asks it once; a place without any is left as it is."""
        return further if place.retry is None else _Retried(place.retry, further).ask


RETRY = RetryLayer()
"""The layer as a chain has it: the retries of each slot."""


class _Retried:
    """What asks one place until it answers, or asking again is no use.

    Args:
        retry: When that is.
        further: What asks the place once.
    """

    __slots__ = ("_further", "_retry")

    def __init__(self, retry: RetryConfig, further: AskPlace) -> None:
        self._retry = retry
        self._further = further

    async def ask(self, visit: Visit) -> Result:
        retry, call, place = self._retry, visit.call, visit.place
        made = timeouts = 0
        delay = 0.0
        if retry.budget is not None:
            retry.budget.deposit()
        while True:
            made += 1
            try:
                return await self._further(visit)
            except Exception as error:
                if isinstance(error, CircuitOpenError) and visit.last_error is not None:
                    raise visit.last_error from error
                timeouts += isinstance(error, ProviderTimeoutError)
                if not retry.allows(error, made, timeouts) or call.is_spent:
                    raise
                delay = retry.delay(error, made, _draw(visit, made), delay)
                delay_ns = round(delay * NS)
                if not call.has_room(delay_ns) or (retry.budget is not None and not retry.budget.try_withdraw()):
                    raise
                visit.last_error = error
                publish(
                    RetryScheduled(
                        call.clock.now_ns(),
                        call.id,
                        place.name,
                        visit.model,
                        made,
                        delay,
                        outcome_of(error),
                        type(error).__name__,
                    )
                )
            place.retries += 1
            if delay_ns > 0:
                await call.parts.sleep_ns(call.clock, delay_ns)
            visit.slept = delay


def _draw(visit: Visit, made: int) -> float:
    call, place = visit.call, visit.place
    return uniform(call.seed, "retry", call.id, call.start_ns, place.index, place.name, made)
