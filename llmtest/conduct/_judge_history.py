"""Judging a history that was kept: a test's trace, with every request in a logical call."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from decimal import Decimal
from typing import Any

from llmtest import events
from llmtest.conduct._judge import NOTHING, Judge
from llmtest.conduct._request_log import RequestLog
from llmtest.conduct._verdict import Verdict
from llmtest.simulation import World

__all__ = ["judge_conduct", "request_log"]


def request_log(history: Sequence[events.Event], world: World) -> RequestLog:
    """Return what the providers' records tell of a history's requests."""
    told = {event.call for event in history if isinstance(event, events.AttemptEnded | events.CircuitSkipped)}
    return RequestLog((event for event in history if isinstance(event, events.RequestReceived)), world, told)


def judge_conduct(
    history: Sequence[events.Event],
    world: World,
    *,
    ignore: Collection[str] = (),
    thresholds: Mapping[str, float] = NOTHING,
    budget: Decimal | None = None,
) -> Verdict:
    """Judge how a history's calls treated their providers.

    Args:
        history: Every event, each request in a logical call.
        world: Where it happened.
        ignore: Findings that nobody asks for.
        thresholds: Thresholds in place of the defaults, as `as_thresholds` returns them.
        budget: What the run may cost, in USD; None: nobody set a limit.
    """
    judge = Judge(request_log(history, world), ignore=ignore, thresholds=thresholds, budget=budget, keeps=True)
    asked: dict[int, dict[str, int]] = {}
    probes = {event.call for event in history if isinstance(event, events.HealthProbed)}

    def received(event: events.RequestReceived) -> None:
        counts = asked.setdefault(event.call, {})
        judge.received(event, first=event.provider not in counts)
        counts[event.provider] = counts.get(event.provider, 0) + 1

    handlers: dict[type[events.Event], Callable[[Any], None]] = {
        events.RequestReceived: received,
        events.RequestAnswered: judge.answered,
        events.BreakerChanged: judge.breaker_changed,
        events.BudgetRejected: judge.refused,
        events.CircuitSkipped: judge.refused,
        events.HarnessErrorRecorded: judge.harness_error,
        events.CallEnded: lambda event: judge.call_ended(event, asked.pop(event.call, {})),
    }
    for event in history:
        handler = handlers.get(type(event))
        if handler is not None and event.call not in probes:  # Nobody is waiting for a probe.
            handler(event)
    return judge.finish(history)
