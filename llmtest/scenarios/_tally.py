"""Counts kept while a run goes on, so that a million calls need no more memory than a thousand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection
from datetime import timedelta
from decimal import Context, Decimal, Inexact
from typing import Any

from llmtest import events
from llmtest.clock import VirtualClock
from llmtest.conduct import Judge, Suspicion
from llmtest.config import BudgetSection
from llmtest.events import DIGEST_BATCH
from llmtest.scenarios._measures import Sample
from llmtest.scenarios._observations import Observations

__all__ = ["RunTrace", "Tally", "total"]

ZERO = Decimal(0)
HOUR_NS = 3_600_000_000_000
EXACT = Context(prec=500, traps=[Inexact])
"""Context of sums of money, which no precision of the application rounds."""
NOBODY: dict[str, int] = {}
"""Who was asked by a call that sent no request."""


def total(spent: Decimal | None, cost: Decimal | None) -> Decimal | None:
    """Return the exact sum of two amounts; None where either is unknown."""
    return None if spent is None or cost is None else EXACT.add(spent, cost)


class Tally:
    """What a run amounts to, from its events.

    Args:
        judge: Judges the run beside the counting.
        inferred: Whether retries and fallbacks are inferred from the providers' log, because foreign code takes them:
            a request after a failure of the same call, and none after an answer, which is an agent's next turn.
        told: Calls whose retries and fallbacks are not inferred all the same, because our own layer tells them.
        observations: What is noted beside, where a check asks for it.
    """

    def __init__(
        self,
        judge: Judge,
        *,
        inferred: bool = False,
        told: Collection[int] = (),
        observations: Observations | None = None,
    ) -> None:
        self.observations = observations
        self.attempts: Counter[str] = Counter()
        self.retries = 0
        self.fallbacks = 0
        self.rejected = 0
        self.served_by: Counter[str] = Counter()
        self.succeeded = 0
        self.errors: Counter[str] = Counter()
        self.breaker: dict[str, list[str]] = {}
        self.transitions: list[tuple[int, str, str]] = []
        self.spend_by_day: dict[int, Decimal] = {}
        self.spend_by_hour: dict[int, Decimal | None] = {}
        """What was charged in each hour of the run; None where the price of any part is unknown."""
        self.latency = Sample()
        self.ttft = Sample()
        self.judge = judge
        self._inferred = inferred
        self._told = told
        self._calls: dict[int, dict[str, int]] = {}
        self._served: dict[int, str] = {}
        self._failed: dict[int, set[str]] = {}
        self._streams: set[int] = set()
        self.handlers: dict[type[events.Event], Callable[[Any], None]] = {
            events.RequestReceived: self._received,
            events.RequestAnswered: self._answered,
            events.BreakerChanged: self._breaker_changed,
            events.BudgetRejected: self._budget_rejected,
            events.CallEnded: self._call_ended,
            events.HarnessErrorRecorded: judge.harness_error,
            events.CircuitSkipped: judge.refused,
            events.HealthProbed: self._probed,
        }
        if told or not inferred:
            self.handlers[events.RetryScheduled] = self._retried
            self.handlers[events.FallbackTaken] = self._fell_back
        if observations is not None:
            observations.watch(self.handlers)

    def _received(self, event: events.RequestReceived) -> None:
        provider, call = event.provider, event.call
        self.attempts[provider] += 1
        asked = self._calls.get(call)
        if asked is None:
            self._calls[call] = {provider: 1}
            first = True
        else:
            first = provider not in asked
            asked[provider] = asked.get(provider, 0) + 1
        if self._inferred:
            self._infer(event)
        self.judge.received(event, first=first)

    def _infer(self, event: events.RequestReceived) -> None:
        if event.stream:
            self._streams.add(event.exchange)
        failed = self._failed.get(event.call)
        if failed and event.call not in self._told:
            if event.provider in failed:
                self.retries += 1
            else:
                self.fallbacks += 1

    def _answered(self, event: events.RequestAnswered) -> None:
        if event.cost_usd is not None:
            day = event.start_ns // 86_400_000_000_000  # A budget charges the day in which it reserved.
            self.spend_by_day[day] = self.spend_by_day.get(day, ZERO) + event.cost_usd
        if event.billed:
            hour = event.at_ns // HOUR_NS
            self.spend_by_hour[hour] = total(self.spend_by_hour.get(hour, ZERO), event.cost_usd)
        self.judge.answered(event)
        if self._inferred:
            self._note_outcome(event)

    def _note_outcome(self, event: events.RequestAnswered) -> None:
        call, outcome = event.call, event.outcome
        is_read = outcome == "abandoned" and event.exchange in self._streams  # Its reader had seen enough.
        self._streams.discard(event.exchange)
        if outcome == "200" or is_read:
            self._served[call] = event.provider
            self._failed.pop(call, None)
        else:
            self._failed.setdefault(call, set()).add(event.provider)

    def _retried(self, event: events.RetryScheduled) -> None:
        if not self._inferred or event.call in self._told:
            self.retries += 1

    def _fell_back(self, event: events.FallbackTaken) -> None:
        if not self._inferred or event.call in self._told:
            self.fallbacks += 1

    def _budget_rejected(self, event: events.BudgetRejected) -> None:
        self.rejected += 1
        self.judge.refused(event)

    def _breaker_changed(self, event: events.BreakerChanged) -> None:
        self.breaker.setdefault(event.provider, [event.from_state]).append(event.to_state)
        self.transitions.append((event.at_ns, event.provider, event.to_state))
        self.judge.breaker_changed(event)

    def _probed(self, event: events.HealthProbed) -> None:
        """Leave a probe out of the calls; its requests were made all the same, and are paid for."""
        for known in (self._calls, self._served, self._failed):
            known.pop(event.call, None)
        self.judge.forget(event.call)

    def _call_ended(self, event: events.CallEnded) -> None:
        call = event.call
        if event.outcome == "ok":
            self.succeeded += 1
            self.served_by[event.provider or self._served.get(call) or "unknown"] += 1
            self.latency.add((event.at_ns - event.start_ns) / 1e9)
            if event.first_token_ns is not None:
                self.ttft.add((event.first_token_ns - event.start_ns) / 1e9)
        else:
            self.errors[event.outcome] += 1
        self._served.pop(call, None)
        self._failed.pop(call, None)
        self.judge.call_ended(event, self._calls.pop(call, NOBODY))

    def close(self, budget: BudgetSection | None, history: Collection[events.Event] = ()) -> None:
        """Judge what can only be told at the end.

        Args:
            budget: The limits that were set.
            history: Everything that happened; empty where it was not kept.
        """
        self.judge.finish(history)
        if budget is None:
            return
        total = sum(self.spend_by_day.values(), ZERO)
        dearest = max(self.spend_by_day.values(), default=ZERO)
        months: dict[tuple[int, int], Decimal] = {}
        first = VirtualClock().now().date()  # A run's clock begins there.
        for day, spent in self.spend_by_day.items():
            date = first + timedelta(days=day)
            months[date.year, date.month] = months.get((date.year, date.month), ZERO) + spent
        for scope, spent, limit in (
            ("session", total, budget.max_cost_per_session),
            ("day", dearest, budget.max_cost_per_day),
            ("month", max(months.values(), default=ZERO), budget.max_cost_per_month),
        ):
            # Days of another zone are not those of the run, so that their sums are the budget's own business.
            is_told = budget.timezone is None or scope == "session"
            if limit is not None and spent > limit and is_told:
                text = f"${spent:.4f} were spent of the {scope}'s ${limit}."
                self.judge.add("budget_overshoot", Suspicion(text, self.judge.caller))


class RunTrace(events.Trace):
    """A trace that counts what passes through it.

    Args:
        tally: Where it counts.
        on_event: Is given every event, in order.
    """

    def __init__(self, tally: Tally, *, on_event: Callable[[events.Event], None] | None = None) -> None:
        super().__init__(keep=False)
        self._handlers = tally.handlers
        self._on_event = on_event

    def append(self, event: events.Event) -> None:
        """Record and count an event."""
        handler = self._handlers.get(event.__class__)
        if handler is not None:
            handler(event)
        if self._on_event is not None:
            self._on_event(event)
        lines = self._lines  # What `Trace.append` does, without calling it: every call makes five events.
        lines.append(event.line())
        if len(lines) >= DIGEST_BATCH:
            self._fold()
