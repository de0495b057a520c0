"""One logical call under way: its attempts, its time, and what each attempt cost."""

from __future__ import annotations

import asyncio
import os
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from llmtest.clock import Clock, VirtualClock, unique_key
from llmtest.costs import Prices
from llmtest.errors import (
    AllProvidersFailedError,
    ConfigurationError,
    DeadlineExceededError,
    HarnessError,
    LLMTestError,
    ProviderError,
    ProviderTimeoutError,
)
from llmtest.events import AttemptEnded, BudgetWarned, publish
from llmtest.resilience._classification import outcome_of
from llmtest.resilience._timeout import stricter
from llmtest.resilience.pipeline._partial_bill import bill_of
from llmtest.types import (
    NO_TIMEOUTS,
    Attempt,
    CompletionRequest,
    CompletionResponse,
    StreamEvent,
    Timeouts,
    Usage,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from decimal import Decimal

    from llmtest.resilience.fallback._slot import RunningSlot
    from llmtest.resilience.pipeline._sync_async import Parts

__all__ = ["Call", "Hold", "SpendGuard"]

NS = 1_000_000_000


class Hold(Protocol):
    """Money set aside for one attempt."""

    def settle(
        self,
        usage: Usage | None = None,
        *,
        cost_usd: Decimal | None = None,
        provider: str | None = None,
        model: str | None = None,
        service_tier: str | None = None,
    ) -> Any:
        """Charge what it cost; usage that nobody knows is charged as it was set aside."""
        ...

    def release(self) -> Any:
        """Give it back."""
        ...


class SpendGuard(Protocol):
    """Something that may refuse to spend; `llmtest.costs.Budget` is one."""

    def reserve(self, estimate: CompletionRequest, *, provider: str | None = None, model: str | None = None) -> Hold:
        """Set aside what an attempt may cost, or refuse it.

        Raises:
            BudgetExceededError: It could pass a limit.
        """
        ...


class Call:
    """The state of one logical call while it passes through the policies."""

    __slots__ = (
        "_name",
        "attempts",
        "begun",
        "caller",
        "clock",
        "deadline_ns",
        "id",
        "parts",
        "prices",
        "process",
        "refused_credentials",
        "request",
        "start_ns",
        "streaming",
    )

    def __init__(
        self,
        call_id: int,
        request: CompletionRequest,
        clock: Clock,
        parts: Parts,
        prices: Prices,
        caller: Timeouts,
        deadline: float | None,
        streaming: bool,
    ) -> None:
        self.id = call_id
        self.request = request
        self.clock = clock
        self.parts = parts
        self.prices = prices
        self.process = os.getpid()
        self.caller = caller
        self.streaming = streaming
        self.attempts: list[Attempt] = []
        self.begun = 0
        self._name: str | None = None
        self.refused_credentials: set[str] = set()
        self.start_ns = clock.now_ns()
        limits = [seconds for seconds in (deadline, caller.total) if seconds is not None]
        self.deadline_ns = self.start_ns + round(min(limits) * NS) if limits else None

    def seed(self, seed: int | None) -> int:
        """Return the seed of this call's draws: repeatable in a simulation, different for each client outside."""
        if seed is not None:
            return seed
        return 0 if isinstance(self.clock, VirtualClock) else self.clock.time_ns()

    def name_for(self, place: RunningSlot) -> str:
        """Return the name under which a place gets the request of this call, however often it is asked.

        Places get different names, because they are sent different requests.
        """
        if self._name is None:
            self._name = self.request.idempotency_key or unique_key()
        return f"{self._name}-{place.index}" if place.index else self._name

    def limits(self, place: RunningSlot, now_ns: int, last_error: BaseException | None) -> Timeouts:
        """Return the limits of the next attempt, cut to what the deadline leaves.

        Raises:
            DeadlineExceededError: It leaves nothing.
        """
        limits = place.timeouts
        if self.caller is not NO_TIMEOUTS:
            limits = stricter(limits, self.caller)
        if self.deadline_ns is None:
            return limits
        left_ns = self.deadline_ns - now_ns
        if left_ns <= 0:
            raise self.too_late(0.0, last_error)
        if limits.total is None or round(limits.total * NS) > left_ns:
            return Timeouts(limits.connect, limits.first_token, limits.read, left_ns / NS)
        return limits

    def too_late(self, needed: float, last_error: BaseException | None) -> DeadlineExceededError:
        """Make the error of a call whose deadline leaves no room."""
        assert self.deadline_ns is not None
        allowed = (self.deadline_ns - self.start_ns) / NS
        return DeadlineExceededError(deadline=allowed, needed=needed, last_error=last_error)

    def has_room(self, delay_ns: int) -> bool:
        """Tell whether anything could still be done after a wait."""
        return self.deadline_ns is None or self.clock.now_ns() + delay_ns < self.deadline_ns

    def is_over(self, error: BaseException) -> bool:
        """Tell whether it was the call's own deadline that ended an attempt, or a stream on its way."""
        return (
            (isinstance(error, ProviderTimeoutError) or isinstance(error.__cause__, ProviderTimeoutError))
            and self.deadline_ns is not None
            and self.clock.now_ns() >= self.deadline_ns
        )

    def note_success(
        self,
        place: RunningSlot,
        model: str | None,
        response: CompletionResponse,
        start_ns: int,
        slept: float,
        hold: Hold | None,
    ) -> CompletionResponse:
        """Record an answered attempt; return the answer with every attempt of the call."""
        served: str | None
        if place.is_chain:
            self.attempts.extend(response.attempts)
            served = response.provider
        else:
            served = place.name
            usage = response.usage
            tier = response.service_tier or self._asked_tier(place)
            cost = self.prices.cost(served, response.model or model, usage, tier=tier)
            self._append(
                Attempt(
                    served,
                    model,
                    start_ns,
                    self.clock.now_ns(),
                    "200",
                    usage,
                    True,
                    cost,
                    None,
                    slept,
                    place.credential,
                )
            )
            if hold is not None:
                settle = partial(hold.settle, usage, provider=served, model=response.model or model)
                self._close(place, settle if tier is None else partial(settle, service_tier=tier))
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
            attempts=tuple(self.attempts),
            extra=response.extra,
            service_tier=response.service_tier,
        )

    def note_failure(
        self,
        place: RunningSlot,
        model: str | None,
        error: BaseException,
        start_ns: int,
        slept: float,
        hold: Hold | None,
        events: Sequence[StreamEvent] = (),
    ) -> None:
        """Record an attempt that did not answer, and charge it if it was billed all the same.

        Args:
            place: Who was asked.
            model: The model that was asked for.
            error: What ended it; a cancellation too.
            start_ns: When it began.
            slept: Seconds slept before it.
            hold: What was set aside for it; nothing for a chain, whose attempts reserve for themselves.
            events: What had come of a stream.
        """
        if isinstance(error, GeneratorExit) and self.process != os.getpid():
            return  # A fork gives up its copy of a stream, which goes on in the process that began it.
        if isinstance(error, HarnessError):
            if hold is not None:
                hold.release()
            return
        if place.is_chain:
            self.attempts.extend(error.attempts if isinstance(error, LLMTestError) else ())
            return
        usage = bill_of(self.request, error, events)
        cost = None if usage is None else self.prices.cost(place.name, model, usage, tier=self._asked_tier(place))
        retry_after = error.retry_after if isinstance(error, ProviderError | AllProvidersFailedError) else None
        self._append(
            Attempt(
                place.name,
                model,
                start_ns,
                self.clock.now_ns(),
                _word(error),
                usage,
                usage is not None,
                cost,
                retry_after,
                slept,
                place.credential,
                "call",
                error if isinstance(error, Exception) else None,
            )
        )
        if hold is not None:
            if usage is None:
                trouble = self._close(place, hold.release)
            else:
                trouble = self._close(place, partial(hold.settle, usage, provider=place.name, model=model))
            if trouble is not None:
                error.add_note(str(trouble))

    def _asked_tier(self, place: RunningSlot) -> str | None:
        """Return the tier that a place was asked for: none, where it has no word for it."""
        tier = self.request.service_tier
        return tier if tier is not None and self.prices.has_tier(place.name, tier) else None

    def _close(self, place: RunningSlot, close: Callable[[], object]) -> ConfigurationError | None:
        """Settle an attempt, or give back what was set aside for it; return why that is not possible now.

        A ledger that cannot be written takes no answer away that was paid for, and makes no cancelled task look as if
        it went on. What was set aside counts until the place is asked again, which settles first.
        """
        try:
            close()
        except ConfigurationError as trouble:
            place.owed.append(close)
            reason = str(trouble).partition("\n")[0]
            publish(BudgetWarned(self.clock.now_ns(), self.id, "ledger", f"not settled yet: {reason}"))
            return trouble
        return None

    def _append(self, attempt: Attempt) -> None:
        self.attempts.append(attempt)
        publish(AttemptEnded(attempt.end_ns, self.id, attempt))


def _word(error: BaseException) -> str:
    if isinstance(error, asyncio.CancelledError | GeneratorExit | KeyboardInterrupt | SystemExit):
        return "cancelled"
    return outcome_of(error)
