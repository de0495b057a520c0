"""What the tests of a run played of which cassettes, over all workers, and whether every test was run."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from llmtest.cassettes import CassetteFileError, Usage, noting_uses
from llmtest.testing._plugin_options import setting

__all__ = ["UsageOfCassettes"]

LEAVING_OUT = {"lf": "--lf", "ignore": "--ignore", "ignore_glob": "--ignore-glob", "collectonly": "--collect-only"}
"""Options of pytest that leave tests out without telling a hook of it."""


class UsageOfCassettes:
    """Notes what is played, and writes it at the end of the run; a worker of pytest-xdist hands it over instead."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._usage = Usage()
        self._noting = ExitStack()
        self._noting.enter_context(noting_uses(self._usage.note))

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note a module that was skipped, or could not be collected."""
        if not report.passed:
            self._usage.leave_out("skipped" if report.skipped else "failed", report.nodeid)

    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        """Note tests that were left out."""
        for item in items:
            self._usage.leave_out("deselected", item.nodeid)

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Note tests whose cassettes are vcrpy's to play."""
        if item.get_closest_marker("vcr"):
            self._usage.leave_out("played by vcrpy, which is not counted", item.nodeid)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note a test that did not pass: what it would have played is not known."""
        if report.failed or report.skipped:
            self._usage.leave_out("failed" if report.failed else "skipped or expected to fail", report.nodeid)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Add what a worker noted; one that died has noted nothing."""
        data = getattr(node, "workeroutput", {}).get("llmtest_cassette_usage")
        if data is not None:
            self._usage.add_data(data)

    @pytest.hookimpl(wrapper=True, trylast=True)  # inside the wrapper with which a worker sends its output
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, None, None]:
        """Write the file, once everybody else has said how the run ended."""
        yield
        self._noting.close()
        output = getattr(self._config, "workeroutput", None)
        if output is not None:
            output["llmtest_cassette_usage"] = self._usage.as_data()
            return
        if session.exitstatus != pytest.ExitCode.OK:
            self._usage.leave_out("ended with exit code", str(int(session.exitstatus)))
        for name, option in LEAVING_OUT.items():
            if self._config.getoption(name, None):
                self._usage.leave_out("run with", option)
        if not self._ran_everything():
            self._usage.leave_out("run of these paths alone", " ".join(self._config.args))
        try:
            self._usage.write(self._file())
        except CassetteFileError as error:
            pytest.exit(f"{self._file()}: the usage of the cassettes cannot be written.\n{error.__cause__}", 4)

    def pytest_unconfigure(self) -> None:
        """Note nothing any more, for whoever runs pytest in his own process."""
        self._noting.close()

    def _ran_everything(self) -> bool:
        """Tell whether the paths of the run hold every test: the root, or all that `testpaths` names."""
        start, root = self._config.invocation_params.dir, self._config.rootpath
        ran = {(start / name).resolve() for name in self._config.args}
        wanted = [found.resolve() for name in self._config.getini("testpaths") for found in root.glob(name)]
        return root.resolve() in ran or (bool(wanted) and all(path in ran for path in wanted))

    def _file(self) -> Path:
        """Return where to write: a flag is about the folder where pytest was started, a setting about the root."""
        flag = self._config.getoption("llmtest_cassette_usage")
        folder = self._config.invocation_params.dir if flag else self._config.rootpath
        return Path(folder, setting(self._config, "cassette_usage"))
