"""Judging what somebody else did inside a scenario's world: a test, in place of the scenario's own load."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from llmtest.conduct import Judge, request_log
from llmtest.events import CallEnded, Event
from llmtest.scenarios._observations import Observations
from llmtest.scenarios._prompts import answers_of
from llmtest.scenarios._result import RunResult
from llmtest.scenarios._spec import Scenario
from llmtest.scenarios._tally import Tally
from llmtest.scenarios._totals import sum_up
from llmtest.simulation import World

__all__ = ["judge_history"]


def judge_history(
    scenario: Scenario,
    history: Iterable[Event],
    world: World,
    *,
    digest: str,
    virtual_seconds: float,
    inferred_breakers: Mapping[str, list[str]] | None = None,
) -> RunResult:
    """Judge a scenario's expectations over a history, and whether its faults fired.

    Retries and fallbacks are those that our own layer told, and where foreign code took them, those that the
    providers saw.

    Args:
        scenario: What is expected.
        history: Every event, each request in a logical call.
        world: Where it happened.
        digest: Hash of the history.
        virtual_seconds: How long it took on the world's clock.
        inferred_breakers: States of circuits that no event told.
    """
    events = list(history)
    log = request_log(events, world)
    observations = Observations.needed(scenario.expect, scenario.faults, answers_of(scenario))
    tally = Tally(Judge(log, keeps=True), inferred=True, told=log.told, observations=observations)
    for event in events:
        handler = tally.handlers.get(type(event))
        if handler is not None:
            handler(event)
    return sum_up(
        scenario,
        world,
        tally,
        seed=world.seed,
        made=sum(isinstance(event, CallEnded) for event in events),
        digest=digest,
        virtual_seconds=virtual_seconds,
        inferred_breakers=inferred_breakers,
        history=events,
    )
