"""The world of `llmtest serve`: every provider answers, as a scenario and a script say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from llmtest.clock import SystemClock
from llmtest.events import Trace
from llmtest.simulation import Fragmentation, World, as_fragmentation
from llmtest.wire import dialects

if TYPE_CHECKING:
    from llmtest.costs import Prices
    from llmtest.scenarios import Scenario
    from llmtest.serving._script import ServedScript

__all__ = ["MOST_KEPT", "served_world"]

MOST_KEPT = 1000
"""Requests that each provider remembers: a server may run for weeks."""

EVENTS_PER_REQUEST = 3


def served_world(
    *,
    seed: int | None = None,
    scenario: str | Path | None = None,
    script: str | Path | None = None,
    fragmentation: Fragmentation | None = None,
) -> tuple[World, Callable[[], None]]:
    """Make a world to serve, in real time, and the function that gives it its providers again after a reset.

    Providers without steps left answer with generated text: the same prompt, the same text. Times in the scenario
    count from now, and after a reset from then. Its load and its expectations are left out.

    Args:
        seed: Decides every random choice; None takes the scenario's, else 0.
        scenario: A scenario file, for quotas, latencies, faults and prices.
        script: A script file; see `llmtest.serving._script`.
        fragmentation: How streamed answers are cut into network pieces; None takes the scenario's, else `events`.

    Raises:
        ConfigurationError: There is no such fragmentation.
        ScenarioError: A file is wrong; the text has file and line.
    """
    experiment: Scenario | None = None
    if scenario is not None:
        from llmtest.scenarios import load_scenario

        experiment = load_scenario(scenario)
    steps: ServedScript | None = None
    if script is not None:
        from llmtest.serving._script import load_script

        steps = load_script(script)
    if seed is None:
        seed = 0 if experiment is None else experiment.seed
    pieces = None if fragmentation is None else as_fragmentation(fragmentation)
    world = World(
        SystemClock(),
        Trace(most=MOST_KEPT * EVENTS_PER_REQUEST),
        seed,
        None if experiment is None else _prices_of(experiment),
        strict=False,
        most_requests=MOST_KEPT,
    )

    def set_up() -> None:
        world.clock = SystemClock()
        world.trace = Trace(most=MOST_KEPT * EVENTS_PER_REQUEST)
        for name, dialect in dialects().items():
            if dialect.is_provider:
                world.provider(name)
        for handle in world.handles:
            handle.generates()
        if experiment is not None:
            _furnish(world, experiment)
            for spec in experiment.providers:
                world.provider(spec.name).generates()
        if pieces is not None:
            world.fragmentation = pieces
        if steps is not None:
            steps.apply(world)

    set_up()
    return world, set_up


def _prices_of(experiment: Scenario) -> Prices:
    from llmtest.scenarios import prices_of

    return prices_of(experiment)


def _furnish(world: World, experiment: Scenario) -> None:
    from llmtest.scenarios import furnish

    furnish(world, experiment)
