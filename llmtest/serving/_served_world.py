"""The world of `llmtest serve`: every provider answers, as a scenario and a script say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from llmtest.clock import SystemClock
from llmtest.events import Trace
from llmtest.scenarios import furnish, load_scenario, prices_of
from llmtest.serving._script import load_script
from llmtest.simulation import BUILTIN, World

__all__ = ["MOST_KEPT", "served_world"]

MOST_KEPT = 1000
"""Requests that each provider remembers: a server may run for weeks."""

EVENTS_PER_REQUEST = 3


def served_world(
    *, seed: int | None = None, scenario: str | Path | None = None, script: str | Path | None = None
) -> tuple[World, Callable[[], None]]:
    """Make a world to serve, in real time, and the function that gives it its providers again after a reset.

    Providers without steps left answer with generated text: the same prompt, the same text. Times in the scenario
    count from now, and after a reset from then. Its load and its expectations are left out.

    Args:
        seed: Decides every random choice; None takes the scenario's, else 0.
        scenario: A scenario file, for quotas, latencies, faults and prices.
        script: A script file; see `llmtest.serving._script`.

    Raises:
        ScenarioError: A file is wrong; the text has file and line.
    """
    experiment = None if scenario is None else load_scenario(scenario)
    steps = None if script is None else load_script(script)
    if seed is None:
        seed = 0 if experiment is None else experiment.seed
    world = World(
        SystemClock(),
        Trace(most=MOST_KEPT * EVENTS_PER_REQUEST),
        seed,
        None if experiment is None else prices_of(experiment),
        strict=False,
        most_requests=MOST_KEPT,
    )

    def set_up() -> None:
        world.clock = SystemClock()
        world.trace = Trace(most=MOST_KEPT * EVENTS_PER_REQUEST)
        for name in BUILTIN:
            world.provider(name).generates()
        if experiment is not None:
            furnish(world, experiment)
            for spec in experiment.providers:
                world.provider(spec.name).generates()
        if steps is not None:
            steps.apply(world)

    set_up()
    return world, set_up
