"""The world of `llmtest serve`: every provider answers, as a scenario and a script say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmtest.clock import SystemClock
from llmtest.events import Trace
from llmtest.simulation import Fragmentation, World, as_fragmentation
from llmtest.simulation.script._recording import Played
from llmtest.wire import dialects

if TYPE_CHECKING:
    from llmtest.costs import Prices
    from llmtest.scenarios import Scenario
    from llmtest.serving._script import ServedScript
    from llmtest.simulation.script._recording import Recording

__all__ = ["MOST_KEPT", "Sessions", "served_world"]

MOST_KEPT = 1000
"""Requests that each provider remembers: a server may run for weeks."""

EVENTS_PER_REQUEST = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Sessions:
    """Recorded sessions that answer on a port, each by the providers that were recorded in it.

    Args:
        files: The cassettes.
        speed: How much faster than recorded they are played; above 0, None: without the recorded pauses.
        ignore: Fields of a JSON body that are not compared.
        repeats: Whether the last answer to a request is given again for every further one.
    """

    files: Sequence[str | Path]
    speed: float | None = 1.0
    ignore: Sequence[str] = ()
    repeats: bool = False

    def play(self, world: World) -> None:
        """Let the providers of a world play them from their beginning.

        Raises:
            CassetteFileError: One is not there, or cannot be read.
            ConfigurationError: There is no such speed.
        """
        from llmtest.serving._played_session import ServedSession

        match_on = {"body": {"ignore": list(self.ignore)}}
        for path in self.files:
            session = ServedSession(path, speed=self.speed, match_on=match_on, repeats=self.repeats)
            for name in session.providers:
                script = world.simulated(name).engine.script
                part = session.part(name)
                script.recordings.append(Played(part, script.total + 1, True, f"--cassette {path}"))
                script.total += len(part)


def served_world(
    *,
    seed: int | None = None,
    scenario: str | Path | None = None,
    script: str | Path | None = None,
    fragmentation: Fragmentation | None = None,
    sessions: Sessions | None = None,
) -> tuple[World, Callable[[], None]]:
    """Make a world to serve, in real time, and the function that gives it its providers again after a reset.

    Providers without steps left answer with generated text: the same prompt, the same text. Where recorded sessions
    answer, nothing is generated: what they do not have is an error, in the shape of the API. Times in the scenario
    count from now, and after a reset from then. Its load and its expectations are left out.

    Args:
        seed: Decides every random choice; None takes the scenario's, else 0.
        scenario: A scenario file, for quotas, latencies, faults and prices.
        script: A script file; see `llmtest.serving._script`.
        fragmentation: How streamed answers are cut into network pieces; None takes the scenario's, else `events`.
        sessions: Recorded sessions that answer.

    Raises:
        CassetteFileError: A session is not there, or cannot be read.
        ConfigurationError: There is no such fragmentation or speed.
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
        world.open_recording = _open_served
        if experiment is not None:
            _furnish(world, experiment)
        if sessions is not None:
            sessions.play(world)
        else:
            _generate(world)
        if pieces is not None:
            world.fragmentation = pieces
        if steps is not None:
            steps.apply(world)

    set_up()
    return world, set_up


def _generate(world: World) -> None:
    """Let every provider answer with generated text, but for those that play a recorded session."""
    for provider in world.providers:
        if not provider.engine.script.recordings:
            provider.handle.generates()


def _open_served(*facts: Any) -> Recording:
    """Open a recorded session for a port; only who plays one needs the room of cassettes."""
    from llmtest.serving._played_session import open_served

    return open_served(*facts)


def _prices_of(experiment: Scenario) -> Prices:
    from llmtest.scenarios import prices_of

    return prices_of(experiment)


def _furnish(world: World, experiment: Scenario) -> None:
    from llmtest.scenarios import furnish

    furnish(world, experiment)
