"""Scenario files as tests, and the marker that runs a test inside a scenario's world."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from llmtest.errors import ConfigurationError
from llmtest.testing._plugin_options import setting

if TYPE_CHECKING:
    from llmtest.scenarios import RunResult
    from llmtest.testing._simulation import Simulation

__all__ = ["collect_scenario", "furnish_from_marker"]

LOOKS_LIKE_ONE = re.compile(r"^(providers|chain|target|expect)\s*:", re.MULTILINE)
"""What tells a scenario from any other YAML file that is named on the command line."""


def collect_scenario(file: Path, parent: pytest.Collector, globs: Sequence[str]) -> pytest.Collector | None:
    """Return a collector for a scenario file that a glob matches, or that the command line names."""
    folder = parent.config.rootpath
    wanted = file.is_relative_to(folder) and any(_matches(file.relative_to(folder), glob) for glob in globs)
    if not wanted and not (parent.session.isinitpath(file) and _looks_like_one(file)):
        return None
    collector: pytest.Collector = ScenarioFile.from_parent(parent, path=file)
    return collector


def _matches(path: Path, glob: str) -> bool:
    return path.match(glob) if "**" not in glob else path.match(glob.replace("**/", "")) or path.match(glob)


def _looks_like_one(file: Path) -> bool:
    try:
        return LOOKS_LIKE_ONE.search(file.read_text(encoding="utf-8")) is not None
    except (OSError, UnicodeDecodeError):
        return False


class ExpectationFailedError(AssertionError):
    """An expectation of a scenario did not hold."""

    def __init__(self, result: RunResult) -> None:
        self.result = result
        super().__init__(_failure_text(result))


def _failure_text(result: RunResult) -> str:
    failed = [check for check in result.expectations if not check.ok]
    noun = "expectation" if len(result.expectations) == 1 else "expectations"
    width = max(len(check.check) for check in result.expectations)
    facts = [
        f"{'  ' if check.ok else '> '}{check.check:<{width}}  expected {check.expected}, was {check.actual}"
        for check in result.expectations
    ]
    total = len(result.expectations)
    headline = f"`{result.scenario}`: {len(failed)} of {total} {noun} did not hold, seed {result.seed}."
    counts = f"{result.calls} calls, {result.attempts} attempts, {result.fallbacks} fallbacks"
    took = f"{counts} in {result.virtual_seconds:.9g} virtual seconds"
    again = f"Reproduce: llmtest simulate {result.path} --seed {result.seed}"
    return "\n".join([headline, "", *facts, "", took, again])


class ScenarioFile(pytest.File):
    """A scenario file; it holds one test."""

    def collect(self) -> Iterator[pytest.Item]:
        """Yield the scenario's test; the file is read when it runs, so that a broken one fails that test alone."""
        yield ScenarioItem.from_parent(self, name=self.path.stem)


class ScenarioItem(pytest.Item):
    """One run of a scenario, which fails on an expectation."""

    def runtest(self) -> None:
        """Load and run the scenario."""
        from llmtest.scenarios import load_scenario, run_scenario

        shown = self.path.relative_to(Path.cwd()) if self.path.is_relative_to(Path.cwd()) else self.path
        result = run_scenario(load_scenario(shown), seed=setting(self.config, "seed"))
        if not result.ok:
            raise ExpectationFailedError(result)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Show what did not hold, or what is wrong with the file, without a traceback into the runner."""
        if isinstance(excinfo.value, ExpectationFailedError | ConfigurationError):
            return f"{type(excinfo.value).__name__}: {excinfo.value}"
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Name the file and the scenario."""
        return self.path, None, f"scenario: {self.name}"


def furnish_from_marker(item: pytest.Item, simulation: Simulation) -> None:
    """Give a test's world the providers, quotas, latencies and faults of the scenario its marker names.

    The scenario's load is left out: the test is the load. Providers answer with generated text where the test scripts
    nothing.

    Raises:
        ScenarioError: The file is missing or wrong.
    """
    from llmtest.scenarios import furnish, load_scenario

    mark = item.get_closest_marker("llm_scenario")
    if mark is None:
        return
    path = mark.args[0] if mark.args else mark.kwargs.get("path")
    if path is None:
        raise ConfigurationError(
            '`llm_scenario` needs a file.\nTo fix: @pytest.mark.llm_scenario("scenarios/primary_outage.yaml")'
        )
    if mark.kwargs.get("check"):
        raise ConfigurationError(
            "`llm_scenario(check=True)`: expectations are judged over a scenario's own load, which a test replaces.\n"
            "To fix: leave `check` out and assert in the test, or collect the file itself with `llmtest_scenarios`."
        )
    scenario = load_scenario(_found(Path(path), item))
    furnish(simulation.world, scenario)
    for spec in scenario.providers:
        simulation.provider(spec.name).generates()


def _found(path: Path, item: pytest.Item) -> Path:
    """Return the path beside the test's file, else below the root of the run, else as it is written."""
    for folder in (item.path.parent, item.config.rootpath):
        if (folder / path).is_file():
            return folder / path
    return path
