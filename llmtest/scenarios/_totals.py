"""The numbers of a run in one place, and the judgement on them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal

from llmtest.costs import CostLedger
from llmtest.events import Event
from llmtest.scenarios._chain_calls import has_breakers
from llmtest.scenarios._judging import judge
from llmtest.scenarios._result import RunResult, Transition
from llmtest.scenarios._spec import Scenario
from llmtest.scenarios._tally import Tally, total
from llmtest.simulation import World

__all__ = ["counted", "sum_up"]


def sum_up(
    scenario: Scenario,
    world: World,
    tally: Tally,
    *,
    seed: int,
    made: int,
    digest: str,
    virtual_seconds: float,
    wall_seconds: float = 0.0,
    inferred_breakers: Mapping[str, list[str]] | None = None,
    history: Collection[Event] = (),
) -> RunResult:
    """Return what came of a run, its expectations judged.

    Args:
        scenario: What was to happen.
        world: Its providers and faults after the run.
        tally: What was counted; closed here.
        seed: The seed of the run.
        made: Logical calls that were made.
        digest: Hash of the history.
        virtual_seconds: How long the run took on its own clock.
        wall_seconds: How long it really took; 0 where nobody asks.
        inferred_breakers: States of circuits that no event told.
        history: Everything that happened; empty where it was not kept.
    """
    names = [spec.name for spec in scenario.providers]
    names += [handle.name for handle in world.handles if handle.name not in names]
    tally.close(scenario.budget or (scenario.chain.budget if scenario.chain else None), history)
    result = counted(
        tally,
        world.costs,
        names,
        world.fired(),
        made=made,
        breaker={**tally.breaker, **(inferred_breakers or {})},
        has_breakers=has_breakers(scenario.chain),
        virtual_seconds=virtual_seconds,
        wall_seconds=wall_seconds,
    )
    result.scenario, result.path, result.seed, result.digest = scenario.name, scenario.path, seed, digest
    result.notes = scenario.notes
    result.findings = {name: str(finding) for name, finding in tally.judge.verdict.findings.items()}
    result.expectations = judge(scenario.expect, scenario.faults, result, tally)
    return result


def counted(
    tally: Tally,
    costs: CostLedger,
    names: Sequence[str],
    faults_fired: dict[str, int],
    *,
    made: int,
    breaker: Mapping[str, list[str]],
    has_breakers: bool,
    virtual_seconds: float,
    wall_seconds: float = 0.0,
) -> RunResult:
    """Return the numbers of a run; whose they are, and the judgement on them, is added by the caller.

    Args:
        tally: What was counted.
        costs: What was spent.
        names: The providers, in the order in which they are told.
        faults_fired: How often each fault rule struck.
        made: Logical calls that were made.
        breaker: States of each circuit that has changed.
        has_breakers: Whether the providers have circuits.
        virtual_seconds: How long the run took on its own clock.
        wall_seconds: How long it really took; 0 where nobody asks.
    """
    total = costs.summary
    return RunResult(
        scenario="",
        path=None,
        seed=0,
        digest="",
        calls=made,
        succeeded=tally.succeeded,
        failed=made - tally.succeeded,
        attempts=tally.attempts.total(),
        retries=tally.retries,
        fallbacks=tally.fallbacks,
        rejected=tally.rejected,
        served_by={name: tally.served_by.get(name, 0) for name in names},
        breaker={name: breaker.get(name, ["closed"]) for name in names} if has_breakers else {},
        transitions=[Transition(at_ns / 1e9, name, state) for at_ns, name, state in tally.transitions],
        latency=tally.latency.summary(),
        ttft=tally.ttft.summary(),
        cost_usd=total.usd,
        known_cost_usd=total.known_usd,
        cost_by_provider=costs.by_provider(),
        cost_by_model=_by_model(costs),
        cost_by_hour=dict(tally.spend_by_hour),
        virtual_seconds=virtual_seconds,
        wall_seconds=wall_seconds,
        faults_fired=faults_fired,
        errors=dict(sorted(tally.errors.items())),
    )


def _by_model(costs: CostLedger) -> dict[str, Decimal | None]:
    """Return what was spent by provider and model; None where the price of any part is unknown."""
    spent: dict[str, Decimal | None] = {}
    for (provider, model, _), spend in costs.spends().items():
        name = f"{provider}:{model or '?'}"
        spent[name] = total(spent[name], spend.usd) if name in spent else spend.usd
    return spent
