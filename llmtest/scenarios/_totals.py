"""The numbers of a run in one place, and the judgement on them."""

from __future__ import annotations

from collections.abc import Mapping

from llmtest.scenarios._chain_calls import has_breakers
from llmtest.scenarios._judging import judge
from llmtest.scenarios._result import RunResult, Transition
from llmtest.scenarios._spec import Scenario
from llmtest.scenarios._tally import Tally
from llmtest.simulation import World

__all__ = ["sum_up"]


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
    """
    names = [spec.name for spec in scenario.providers]
    names += [handle.name for handle in world.handles if handle.name not in names]
    histories = {**tally.breaker, **(inferred_breakers or {})}
    known = world.costs.known_usd
    unknown = world.costs.summary.unknown
    tally.close(scenario.budget or (scenario.chain.budget if scenario.chain else None))
    result = RunResult(
        scenario=scenario.name,
        path=scenario.path,
        seed=seed,
        digest=digest,
        calls=made,
        succeeded=tally.succeeded,
        failed=made - tally.succeeded,
        attempts=tally.attempts.total(),
        retries=tally.retries,
        fallbacks=tally.fallbacks,
        rejected=tally.rejected,
        served_by={name: tally.served_by.get(name, 0) for name in names},
        breaker={name: histories.get(name, ["closed"]) for name in names} if has_breakers(scenario.chain) else {},
        transitions=[Transition(at_ns / 1e9, name, state) for at_ns, name, state in tally.transitions],
        latency=tally.latency.summary(),
        ttft=tally.ttft.summary(),
        cost_usd=None if unknown else known,
        known_cost_usd=known,
        cost_by_provider=world.costs.by_provider(),
        virtual_seconds=virtual_seconds,
        wall_seconds=wall_seconds,
        faults_fired=world.fired(),
        errors=dict(sorted(tally.errors.items())),
        findings={name: str(finding) for name, finding in tally.findings.found.items()},
    )
    result.expectations = judge(scenario.expect, scenario.faults, result, tally)
    return result
