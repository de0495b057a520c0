"""Asking one provider: its breaker around the retries, and the limits and the budget of each attempt."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING

from llmtest.clock import uniform
from llmtest.errors import CircuitOpenError, ProviderTimeoutError
from llmtest.events import RetryScheduled, publish
from llmtest.resilience._classification import outcome_of
from llmtest.resilience.fallback._slot import RunningSlot
from llmtest.resilience.pipeline._call import NS, Call, Hold, SpendGuard
from llmtest.resilience.pipeline._open_stream import OpenStream
from llmtest.types import CompletionRequest, CompletionResponse

if TYPE_CHECKING:
    from llmtest.types import Timeouts

__all__ = ["Asker", "Result"]

Result = CompletionResponse | OpenStream

enclosing_budget: ContextVar[SpendGuard | None] = ContextVar("llmtest_enclosing_budget", default=None)
"""The budget of the chain that asks the running one; a stream spends before its first piece, while it is asked."""


class Asker:
    """Asks one place of a chain.

    Args:
        budget: What may refuse to spend.
        is_breaker_inside: Whether circuits count every attempt, not every call.
        max_attempts: Most attempts of one call over all places; None sets no limit.
        seed: Seed of the waits; None chooses one.
    """

    __slots__ = ("budget", "is_breaker_inside", "max_attempts", "seed")

    def __init__(
        self, *, budget: SpendGuard | None, is_breaker_inside: bool, max_attempts: int | None, seed: int | None
    ) -> None:
        self.budget = budget
        self.is_breaker_inside = is_breaker_inside
        self.max_attempts = max_attempts
        self.seed = seed

    def is_spent(self, call: Call) -> bool:
        """Tell whether a call has made all the attempts it may make."""
        return self.max_attempts is not None and call.begun >= self.max_attempts

    async def ask(self, place: RunningSlot, call: Call, *, forced: bool) -> Result:
        """Ask one place, as far as its circuit and its abilities allow."""
        request = call.request
        model = place.model_for(request.model)
        if model != request.model:
            request = request.with_model(model)
        refusal = place.refusal(request, call.streaming, call.prices)
        if refusal is not None:
            raise refusal
        if place.is_named:
            request = request.with_idempotency_key(call.name_for(place))
        breaker = place.breaker
        if breaker is None or self.is_breaker_inside:
            result = await self._retry(place, call, request, forced=forced)
        else:
            admission = breaker.admit(call.clock.now_ns(), forced=forced)
            try:
                result = await self._retry(place, call, request, forced=forced)
            except BaseException as error:
                place.report(admission, call, error)
                raise
            if isinstance(result, OpenStream):
                result.admission = admission
                return result
            breaker.success(admission, call.clock.now_ns())
        if not isinstance(result, OpenStream):
            place.successes += 1
        return result

    async def _retry(self, place: RunningSlot, call: Call, request: CompletionRequest, *, forced: bool) -> Result:
        """Ask one provider until it answers, or asking again is no use."""
        retry = place.retry
        made = timeouts = 0
        slept = 0.0
        last_error: Exception | None = None
        if retry is not None and retry.budget is not None:
            retry.budget.deposit()
        while True:
            made += 1
            try:
                if self.is_breaker_inside and place.breaker is not None:
                    return await self._guarded_attempt(place, call, request, slept, last_error, forced=forced)
                return await self._attempt(place, call, request, slept, last_error)
            except Exception as error:
                if call.is_over(error):
                    raise call.too_late(0.0, error) from error
                if isinstance(error, CircuitOpenError) and last_error is not None:
                    raise last_error from error
                timeouts += isinstance(error, ProviderTimeoutError)
                if retry is None or not retry.allows(error, made, timeouts):
                    raise
                if self.is_spent(call):
                    raise
                delay = retry.delay(error, made, self._draw(place, call, made))
                delay_ns = round(delay * NS)
                if not call.has_room(delay_ns) or (retry.budget is not None and not retry.budget.try_withdraw()):
                    raise
                last_error = error
                model = request.model or place.provider.model
                publish(RetryScheduled(call.clock.now_ns(), call.id, place.name, model, made, delay, outcome_of(error)))
            place.retries += 1
            if delay_ns > 0:
                await call.parts.sleep_ns(call.clock, delay_ns)
            slept = delay

    def _draw(self, place: RunningSlot, call: Call, made: int) -> float:
        return uniform(call.seed(self.seed), "retry", call.id, call.start_ns, place.index, place.name, made)

    async def _guarded_attempt(
        self,
        place: RunningSlot,
        call: Call,
        request: CompletionRequest,
        slept: float,
        last_error: Exception | None,
        *,
        forced: bool,
    ) -> Result:
        """Make one attempt inside the circuit."""
        breaker = place.breaker
        assert breaker is not None
        admission = breaker.admit(call.clock.now_ns(), forced=forced)
        try:
            result = await self._attempt(place, call, request, slept, last_error)
        except BaseException as error:
            place.report(admission, call, error)
            raise
        if isinstance(result, OpenStream):
            result.admission = admission
        else:
            breaker.success(admission, call.clock.now_ns())
        return result

    async def _attempt(
        self, place: RunningSlot, call: Call, request: CompletionRequest, slept: float, last_error: Exception | None
    ) -> Result:
        """Send one request, and record what came of it."""
        start_ns = call.clock.now_ns()
        limits = call.limits(place, start_ns, last_error)
        model = request.model or place.provider.model
        hold = None
        budget = self.budget or enclosing_budget.get()
        if budget is not None:
            if place.is_chain:
                return await self._hand_down(budget, place, call, request, limits, start_ns, slept)
            if place.owed:
                place.pay()
            hold = budget.reserve(request, provider=place.name, model=model)
        return await self._send(place, call, request, limits, start_ns, slept, hold)

    async def _hand_down(
        self,
        budget: SpendGuard,
        place: RunningSlot,
        call: Call,
        request: CompletionRequest,
        limits: Timeouts,
        start_ns: int,
        slept: float,
    ) -> Result:
        """Send a request to a chain, which spends from the same budget if it has none of its own."""
        token = enclosing_budget.set(budget)
        try:
            return await self._send(place, call, request, limits, start_ns, slept, None)
        finally:
            enclosing_budget.reset(token)

    async def _send(
        self,
        place: RunningSlot,
        call: Call,
        request: CompletionRequest,
        limits: Timeouts,
        start_ns: int,
        slept: float,
        hold: Hold | None,
    ) -> Result:
        """Send one request whose cost is set aside."""
        model = request.model or place.provider.model
        call.begun += 1
        if call.streaming:
            return await self._open(place, call, request, limits, start_ns, slept, hold)
        try:
            response = await call.parts.complete(place.provider, request, limits)
        except BaseException as error:
            call.note_failure(place, model, error, start_ns, slept, hold)
            raise
        return call.note_success(place, model, response, start_ns, slept, hold)

    async def _open(
        self,
        place: RunningSlot,
        call: Call,
        request: CompletionRequest,
        limits: Timeouts,
        start_ns: int,
        slept: float,
        hold: Hold | None,
    ) -> OpenStream:
        """Begin a stream and read it up to its commit point."""
        model = request.model or place.provider.model
        source = call.parts.stream(place.provider, request, limits)
        stream = OpenStream(place, model, source, start_ns, slept)
        stream.hold = hold
        try:
            await stream.commit()
        except BaseException as error:
            call.note_failure(place, model, error, start_ns, slept, hold, stream.told)
            raise
        return stream
