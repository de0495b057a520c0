"""`budget_overshoot`: spent more than somebody had allowed."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from llmtest.conduct._evidence import RunEvidence
from llmtest.conduct._kind import FindingKind, Limits, Suspicion
from llmtest.events import RequestAnswered

__all__ = ["KIND"]

ZERO = Decimal(0)
DEAREST = 3
"""How many of the dearest answers are shown."""


def judge(run: RunEvidence, limits: Limits) -> Iterator[Suspicion]:  # noqa: ARG001 - the limit is the budget itself
    """Add up what the providers charged, and hold it against the limit that the assertion or the marker gives."""
    if run.budget is None:
        return
    billed = [event for event in run.events if isinstance(event, RequestAnswered) and event.billed]
    spent = sum((event.cost_usd or ZERO for event in billed), ZERO)
    unknown = sum(event.cost_usd is None for event in billed)
    if spent > run.budget:
        dearest = sorted(billed, key=lambda event: event.cost_usd or ZERO, reverse=True)[:DEAREST]
        yield Suspicion(
            f"${spent.normalize():f} were spent of ${run.budget.normalize():f}.",
            run.caller,
            tuple(f"#{event.exchange} {event.provider}/{event.model} ${_price(event):f}" for event in dearest),
        )
    elif unknown:
        known = f"${spent.normalize():f} of ${run.budget.normalize():f} are known to be spent"
        text = f"{known}, and {unknown} answers have no price."
        yield Suspicion(text, None, is_decided=False)


def _price(event: RequestAnswered) -> Decimal:
    return (event.cost_usd or ZERO).normalize()


KIND = FindingKind(
    name="budget_overshoot",
    rule="the calls cost more than a budget allows: that of a scenario or chain file in a day, a month or the session, "
    "or the one given to the assertion or to the marker `llm_budget`",
    fix="reserve what a call may cost before it is sent, and refuse it where that is more than is left",
    blames="app or provider layer",
    judge_run=judge,
)
