"""The numbers of a run that is over, from its events alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from llmtest.conduct import FINDINGS, Judge
from llmtest.costs import CostLedger
from llmtest.events import CallEnded, Event, FaultFired, RequestAnswered, RequestReceived
from llmtest.scenarios._result import RunResult
from llmtest.scenarios._tally import RunTrace, Tally
from llmtest.scenarios._totals import counted

__all__ = ["retold"]


def retold(
    history: Iterable[Event],
    *,
    scenario: str = "",
    path: str | None = None,
    seed: int = 0,
    providers: Sequence[str] = (),
    circuits: bool = False,
    faults: Sequence[str] = (),
    inferred: bool = False,
    elapsed_ns: int | None = None,
) -> RunResult:
    """Return what a run came to.

    What the events do not tell is left empty: how long the run really took, its expectations and its verdict.

    Args:
        history: Every event, in order.
        scenario: Name of the scenario.
        path: Its file.
        seed: Seed of the run.
        providers: Names of the providers that took part; others are added as they are met.
        circuits: Whether they had circuit breakers.
        faults: Names of the fault rules that might have struck.
        inferred: Whether retries and fallbacks are inferred from requests, because foreign code took them.
        elapsed_ns: When the run ended, in nanoseconds of its clock; None takes the last event's time.
    """
    tally = Tally(Judge(ignore=FINDINGS), inferred=inferred)
    trace = RunTrace(tally)
    costs = CostLedger(keep=False)
    fired = dict.fromkeys(faults, 0)
    names = list(providers)
    made = last_ns = 0
    for event in history:
        trace.append(event)
        last_ns = event.at_ns
        if isinstance(event, RequestReceived):
            if event.provider not in names:
                names.append(event.provider)
        elif isinstance(event, RequestAnswered):
            if event.usage is not None and event.billed:
                costs.record(event.provider, event.model, event.usage, event.cost_usd)
        elif isinstance(event, CallEnded):
            made += 1
        elif isinstance(event, FaultFired):
            fired[event.rule] = fired.get(event.rule, 0) + 1
    result = counted(
        tally,
        costs,
        names,
        fired,
        made=made,
        breaker=tally.breaker,
        has_breakers=circuits,
        virtual_seconds=(last_ns if elapsed_ns is None else elapsed_ns) / 1e9,
    )
    result.scenario, result.path, result.seed, result.digest = scenario, path, seed, trace.digest()
    return result
