"""Running a scenario: a world, its clock, its load, and what came of it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmtest.clock import SystemClock, VirtualClock, run_virtual
from llmtest.conduct import Judge, Witness
from llmtest.errors import UnscriptedRequestError
from llmtest.events import Event, subscribed
from llmtest.scenarios._chain_calls import ChainCalls, breaker_config
from llmtest.scenarios._driving import ProgressReport, drive
from llmtest.scenarios._observations import Observations
from llmtest.scenarios._prompts import answers_of
from llmtest.scenarios._result import RunResult
from llmtest.scenarios._spec import Load, Scenario
from llmtest.scenarios._tally import RunTrace, Tally
from llmtest.scenarios._totals import sum_up
from llmtest.scenarios._world_setup import furnish, prices_of
from llmtest.simulation import World

if TYPE_CHECKING:
    from llmtest.simulation.script._recording import Recording

__all__ = ["run_scenario", "with_trace"]


def _open_recording(*facts: Any) -> Recording:
    """Open a recorded session; only a scenario that plays one needs the room of cassettes."""
    from llmtest.scenarios._played_recording import CassetteRecording

    return CassetteRecording(*facts)


def with_trace(scenario: Scenario, trace: str | Path) -> Scenario:
    """Return the scenario with a recorded trace as its load.

    Args:
        scenario: The scenario; its `stream` and `max_calls` stay.
        trace: A CSV file in the published format.
    """
    load = Load(
        trace=Path(trace), trace_shown=str(trace), stream=scenario.load.stream, max_calls=scenario.load.max_calls
    )
    return replace(scenario, load=load)


def run_scenario(
    scenario: Scenario,
    seed: int | None = None,
    *,
    on_progress: ProgressReport | None = None,
    on_event: Callable[[Event], None] | None = None,
) -> RunResult:
    """Run a scenario in virtual time, and judge what it expects.

    The memory a run needs does not grow with its calls, but for 16 bytes each.

    Args:
        scenario: From `load_scenario`.
        seed: Seed of every draw; None takes the scenario's.
        on_progress: Is told the share of the load that is done (None: unknown) and the calls made so far.
        on_event: Is given every event, in order.

    Raises:
        ScenarioError: The trace of the load is broken, or the target cannot be imported.
        UnscriptedRequestError: A recorded session that a provider plays has no answer for what was asked.
        VirtualTimeStalledError: Every call waits, and none of them for time.
    """
    seed = scenario.seed if seed is None else seed
    wall = SystemClock()
    started_ns = wall.now_ns()
    clock = VirtualClock()
    observations = Observations.needed(scenario.expect, scenario.faults, answers_of(scenario))
    tally = Tally(_judge(scenario), inferred=scenario.target is not None, observations=observations)
    trace = RunTrace(tally, on_event=on_event)
    world = World(clock, trace, seed, prices_of(scenario), keep_requests=False)
    world.open_recording = _open_recording
    furnish(world, scenario, plays=scenario.target is not None)
    with ExitStack() as stack:
        if scenario.target is not None:
            from llmtest.scenarios._target_calls import TargetCalls

            call = stack.enter_context(TargetCalls(scenario, world, clock, seed).installed()).call
        else:
            call = ChainCalls(scenario, world, observations).call
        stack.enter_context(subscribed(trace.append, number_call=trace.next_call))
        made = run_virtual(
            drive(
                scenario.load,
                seed,
                clock,
                call,
                is_over=lambda: bool(world.harness_errors),
                on_progress=on_progress,
            ),
            clock,
        )
    unanswered = next((error for error in world.harness_errors if isinstance(error, UnscriptedRequestError)), None)
    if unanswered is not None:
        raise unanswered  # What nobody was told to answer says nothing about the app.
    wall_seconds = (wall.now_ns() - started_ns) / 1e9
    return sum_up(
        scenario,
        world,
        tally,
        seed=seed,
        made=made,
        digest=trace.digest(),
        virtual_seconds=clock.elapsed(),
        wall_seconds=wall_seconds,
    )


def _judge(scenario: Scenario) -> Judge:
    breaker = breaker_config(scenario.chain)
    retry = scenario.chain.retry if scenario.chain else None
    has_retry_budget = retry is not None and retry.budget is not None
    return Judge(
        Witness("the chain" if scenario.chain else "the app, or its SDK"),
        half_open_calls=None if breaker is None else breaker.half_open_max_calls,
        ignore=("gave_up",) if has_retry_budget else (),  # A caller with such a budget need not try twice.
    )
