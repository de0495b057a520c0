"""Scenario files as tests."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from llmtest.errors import ConfigurationError
from llmtest.testing._plugin_options import fragmentation_of, seed_of, setting
from llmtest.testing._scenario_failure import expectations_failed

__all__ = ["collect_scenario"]

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
        scenario = load_scenario(shown)
        scenario = replace(scenario, fragmentation=fragmentation_of(self.config, scenario.fragmentation))
        seed = None if setting(self.config, "seed") is None else seed_of(self.config)
        result = run_scenario(scenario, seed=seed)
        for note in result.notes:
            self.add_report_section("call", "llmtest", note)
        if not result.ok:
            again = f"llmtest simulate {result.path} --seed {result.seed}"
            raise ExpectationFailedError(expectations_failed(result, reproduce=again))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Show what did not hold, or what is wrong with the file, without a traceback into the runner."""
        if isinstance(excinfo.value, ExpectationFailedError | ConfigurationError):
            return f"{type(excinfo.value).__name__}: {excinfo.value}"
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Name the file and the scenario."""
        return self.path, None, f"scenario: {self.name}"
