"""`@pytest.mark.llm_scenario("x.yaml")`: a test inside a scenario's world, and with `check=True` judged by it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

import pytest

from llmtest.errors import ConfigurationError
from llmtest.testing._failure import did_you_mean, rendered

if TYPE_CHECKING:
    from llmtest.events import Event
    from llmtest.scenarios import RunResult, Scenario
    from llmtest.testing._simulation import Simulation
    from llmtest.testing._unmarked import Grouping

__all__ = ["ScenarioMark", "scenario_mark"]

MARK = "llm_scenario"
ASKER = "llm_scenario(check=True)"
KNOWN = ("path", "check")


@dataclass(frozen=True, slots=True)
class ScenarioMark:
    """What the marker of a test asks for.

    Args:
        scenario: The scenario.
        check: Whether its expectations and faults are judged over what the test did.
    """

    scenario: Scenario
    check: bool

    @property
    def seed(self) -> int:
        """The seed of the scenario."""
        return self.scenario.seed

    def furnish(self, simulation: Simulation) -> None:
        """Give a test's world the scenario's providers, quotas, latencies, prices and faults.

        The scenario's load is left out: the test is the load. Providers answer with generated text where the test
        scripts nothing, and no recorded session answers.
        """
        from llmtest.scenarios import furnish, prices_of

        simulation.world.prices = prices_of(self.scenario)
        furnish(simulation.world, self.scenario)
        for spec in self.scenario.providers:
            if spec.plays is None:
                simulation.provider(spec.name).generates()

    def judge(self, item: pytest.Item, simulation: Simulation) -> None:
        """Hold a test that passed to the scenario's expectations, and fail for faults that never struck.

        Raises:
            AssertionError: Something did not hold.
            AmbiguousCallError: Which requests belong to one call cannot be told, and an expectation turns on it.
        """
        __tracebackhide__ = True
        if not self.check or simulation.world.harness_errors:
            return  # What is wrong with the test itself is told at its end.
        result = self._result(simulation)
        if not result.ok:
            from llmtest.testing._scenario_failure import expectations_failed

            again = f"pytest {quote(item.nodeid)} --llmtest-seed={result.seed}"
            raise AssertionError(expectations_failed(result, reproduce=again, trace=rendered(simulation.trace)))

    def _result(self, simulation: Simulation) -> RunResult:
        from llmtest.conduct import request_log
        from llmtest.testing._unmarked import ambiguous_call, group_unmarked

        __tracebackhide__ = True
        events = list(simulation.trace)
        grouping = group_unmarked(events, request_log(events, simulation.world))
        result = self._judged(simulation, events, grouping)
        if grouping.doubts and result.ok != self._judged(simulation, events, grouping.joined()).ok:
            raise ambiguous_call(ASKER, grouping.doubts[0])
        return result

    def _judged(self, simulation: Simulation, events: list[Event], grouping: Grouping) -> RunResult:
        from llmtest.events import RequestReceived
        from llmtest.scenarios import judge_history
        from llmtest.testing._assert_breaker import states_of
        from llmtest.testing._unmarked import with_marks

        __tracebackhide__ = True
        trace = simulation.trace
        circuits = {check.check.partition(".")[2] for check in self.scenario.expect if check.kind == "states"}
        circuits &= {event.provider for event in trace.of(RequestReceived)}  # Nothing opened the others.
        return judge_history(
            self.scenario,
            with_marks(events, grouping.groups),
            simulation.world,
            digest=trace.digest(),
            virtual_seconds=simulation.waited,
            inferred_breakers={name: states_of(trace, name, ASKER)[0] for name in sorted(circuits)},
        )


def scenario_mark(item: pytest.Item) -> ScenarioMark | None:
    """Return what a test's marker asks for; None where it has none.

    Raises:
        ConfigurationError: The marker is wrong, or asks for a check of a scenario that says nothing to check.
        ScenarioError: The file is missing or wrong.
    """
    mark = item.get_closest_marker(MARK)
    if mark is None:
        return None
    from llmtest.scenarios import load_scenario

    path, check = _arguments(mark)
    scenario = load_scenario(_found(Path(path), item))
    if check and not scenario.expect and all(fault.optional for fault in scenario.faults):
        raise ConfigurationError(
            f"`{MARK}(check=True)`: `{path}` has nothing that could fail: no `expect`, and no fault that has to "
            "strike.\nTo fix: leave `check` out, or say in the file what must hold."
        )
    return ScenarioMark(scenario, check)


def _arguments(mark: pytest.Mark) -> tuple[Any, bool]:
    for name in mark.kwargs:
        if name not in KNOWN:
            raise ConfigurationError(f"`{MARK}` has no argument `{name}`.{did_you_mean(name, KNOWN)}")
    path = mark.args[0] if mark.args else mark.kwargs.get("path")
    if path is None:
        raise ConfigurationError(
            f'`{MARK}` needs a file.\nTo fix: @pytest.mark.{MARK}("scenarios/primary_outage.yaml")'
        )
    return path, bool(mark.kwargs.get("check"))


def _found(path: Path, item: pytest.Item) -> Path:
    """Return the path beside the test's file, else below the root of the run, else as it is written.

    Raises:
        ConfigurationError: It is nowhere.
    """
    folders = (item.path.parent, item.config.rootpath, Path.cwd())
    for folder in folders:
        if (folder / path).is_file():
            return folder / path
    beside = [
        each for folder in folders if (folder / path.parent).is_dir() for each in (folder / path.parent).iterdir()
    ]
    raise ConfigurationError(
        f"`{MARK}`: there is no file `{path}`.{did_you_mean(path.name, [each.name for each in beside])}\n"
        "To fix: write its path as seen from the test's file, or from the root of the run."
    )
