"""One attempt under way: a request to one place, from its permits to its record."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from llmtest.errors import AllProvidersFailedError, ConfigurationError, HarnessError, ProviderError
from llmtest.events import AttemptEnded, BudgetWarned, publish
from llmtest.resilience._classification import outcome_of
from llmtest.resilience.pipeline._partial_bill import bill_of
from llmtest.types import Attempt, CompletionRequest, CompletionResponse, StreamEvent, Usage

if TYPE_CHECKING:
    from llmtest.resilience.pipeline._visit import Visit

__all__ = ["Permit", "RunningAttempt"]


class Permit(Protocol):
    """What a guard has granted to one attempt, such as money set aside; one of the two ends it, once."""

    def settle(
        self,
        usage: Usage | None = None,
        *,
        cost_usd: Decimal | None = None,
        provider: str | None = None,
        model: str | None = None,
        service_tier: str | None = None,
    ) -> Any:
        """Charge what the attempt came to.

        Args:
            usage: Tokens; what nobody knows is charged as it was set aside.
            cost_usd: The price, as the attempt's own record has it; None = not known to the chain.
            provider: Who answered.
            model: The model that answered.
            service_tier: The tier that answered; left out where nobody named one.
        """
        ...

    def release(self) -> Any:
        """Give it back: nothing was billed."""
        ...


class RunningAttempt:
    """One request to one place.

    Args:
        visit: The call at that place.

    Raises:
        DeadlineExceededError: The call has no time left for it.
    """

    __slots__ = ("call", "limits", "model", "permits", "place", "purpose", "start_ns", "visit")

    def __init__(self, visit: Visit) -> None:
        self.visit = visit
        self.call = call = visit.call
        self.place = place = visit.place
        self.model = visit.request.model or place.provider.model
        self.permits: Sequence[Permit] = ()
        self.purpose = call.purpose
        self.start_ns = now_ns = call.clock.now_ns()
        self.limits = place.timeouts if call.is_unlimited else call.limits(place, now_ns, visit.last_error)

    @property
    def request(self) -> CompletionRequest:
        """The request as the place gets it."""
        return self.visit.request

    def begin_anew(self) -> None:
        """Let it begin now, after a guard has let it wait: from now on its time counts.

        Raises:
            DeadlineExceededError: The call has no time left for it.
        """
        self.start_ns = now_ns = self.call.clock.now_ns()
        self.limits = self.call.limits(self.place, now_ns, self.visit.last_error)

    def release(self, permits: Iterable[Permit]) -> None:
        """Give permits back of which nothing was used."""
        for permit in permits:
            self._close(permit.release)

    def succeeded(self, response: CompletionResponse) -> CompletionResponse:
        """Record that it was answered; return the answer with every attempt of the call."""
        call, place = self.call, self.place
        served: str | None
        if place.is_chain:
            call.attempts.extend(response.attempts)
            served = response.provider
        else:
            served = place.name
            usage, model = response.usage, response.model or self.model
            tier = response.service_tier
            if tier is None and self.visit.request.service_tier is not None:
                tier = self._asked_tier()
            cost = call.prices.cost(served, model, usage, tier=tier)
            attempt = Attempt(
                served,
                self.model,
                self.start_ns,
                call.clock.now_ns(),
                "200",
                usage,
                True,
                cost,
                None,
                self.visit.slept,
                place.credential,
                self.purpose,
            )
            call.attempts.append(attempt)
            publish(AttemptEnded(attempt.end_ns, call.id, attempt))
            for permit in self.permits:
                try:
                    if tier is None:
                        permit.settle(usage, cost_usd=cost, provider=served, model=model)
                    else:
                        permit.settle(usage, cost_usd=cost, provider=served, model=model, service_tier=tier)
                except ConfigurationError as trouble:
                    settle = partial(permit.settle, usage, cost_usd=cost, provider=served, model=model)
                    self._owe(settle if tier is None else partial(settle, service_tier=tier), trouble)
        return CompletionResponse(
            parts=response.parts,
            finish_reason=response.finish_reason,
            raw_finish_reason=response.raw_finish_reason,
            usage=response.usage,
            model=response.model,
            id=response.id,
            provider=served,
            request_id=response.request_id,
            alternatives=response.alternatives,
            attempts=tuple(call.attempts),
            extra=response.extra,
            service_tier=response.service_tier,
        )

    def failed(self, error: BaseException, events: Sequence[StreamEvent] = ()) -> None:
        """Record that it was not answered, and charge it if it was billed all the same.

        Args:
            error: What ended it; a cancellation too.
            events: What had come of a stream.
        """
        call, place = self.call, self.place
        if isinstance(error, GeneratorExit) and not call.is_of_this_process:
            return  # A fork gives up its copy of a stream, which goes on in the process that began it.
        if isinstance(error, HarnessError):
            for permit in self.permits:
                permit.release()
            return
        if place.is_chain:
            call.attempts.extend(getattr(error, "attempts", ()))
            return
        usage = bill_of(call.request, error, events)
        cost = None if usage is None else call.prices.cost(place.name, self.model, usage, tier=self._asked_tier())
        retry_after = error.retry_after if isinstance(error, ProviderError | AllProvidersFailedError) else None
        attempt = Attempt(
            place.name,
            self.model,
            self.start_ns,
            call.clock.now_ns(),
            _word(error),
            usage,
            usage is not None,
            cost,
            retry_after,
            self.visit.slept,
            place.credential,
            self.purpose,
            error if isinstance(error, Exception) else None,
        )
        call.attempts.append(attempt)
        publish(AttemptEnded(attempt.end_ns, call.id, attempt))
        for permit in self.permits:
            if usage is None:
                trouble = self._close(permit.release)
            else:
                settle = partial(permit.settle, usage, cost_usd=cost, provider=place.name, model=self.model)
                trouble = self._close(settle)
            if trouble is not None:
                error.add_note(str(trouble))

    def _asked_tier(self) -> str | None:
        """Return the tier that the place was asked for: none, where it has no word for it."""
        tier = self.visit.request.service_tier
        return tier if tier is not None and self.call.prices.has_tier(self.place.name, tier) else None

    def _close(self, close: Callable[[], object]) -> ConfigurationError | None:
        """Settle a permit, or give it back; return why that is not possible now."""
        try:
            close()
        except ConfigurationError as trouble:
            self._owe(close, trouble)
            return trouble
        return None

    def _owe(self, close: Callable[[], object], trouble: ConfigurationError) -> None:
        """Leave a permit to be closed later.

        A ledger that cannot be written takes no answer away that was paid for, and makes no cancelled task look as if
        it went on. What was set aside counts until the place is asked again, which settles first.
        """
        call = self.call
        self.place.owed.append(close)
        publish(BudgetWarned(call.clock.now_ns(), call.id, "ledger", "unsettled", error=trouble))


def _word(error: BaseException) -> str:
    if isinstance(error, asyncio.CancelledError | GeneratorExit | KeyboardInterrupt | SystemExit):
        return "cancelled"
    return outcome_of(error)
