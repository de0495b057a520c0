"""Simulations for `unittest`: the world, and with it the virtual loop, is there before `setUp`."""

from __future__ import annotations

import unittest
from types import TracebackType
from typing import Any, ClassVar

from llmtest.testing._failure_section import note_section
from llmtest.testing._simulation import Simulation
from llmtest.testing._verdict import combined

__all__ = ["AsyncSimulationTestCase", "SimulationTestCase"]


Problem = tuple[type[BaseException], BaseException, TracebackType]


class _Told:
    """The result of a test run, which is told with each failure what the test's world has seen.

    Args:
        result: Where the failures go; everything else is its own.
        sim: The world.
    """

    def __init__(self, result: unittest.TestResult, sim: Simulation) -> None:
        self._result = result
        self._sim = sim

    def __getattr__(self, name: str) -> Any:
        return getattr(self._result, name)

    def addError(self, test: unittest.TestCase, err: Problem) -> None:  # noqa: N802 - unittest's name
        note_section(self._sim, err[1])
        self._result.addError(test, err)

    def addFailure(self, test: unittest.TestCase, err: Problem) -> None:  # noqa: N802 - unittest's name
        note_section(self._sim, err[1])
        self._result.addFailure(test, err)

    def addSubTest(  # noqa: N802 - unittest's name
        self, test: unittest.TestCase, subtest: unittest.TestCase, err: Problem | None
    ) -> None:
        if err is not None:
            note_section(self._sim, err[1])
        self._result.addSubTest(test, subtest, err)


class _Simulated(unittest.TestCase):
    """Runs each test inside a world of its own, `self.sim`."""

    seed: ClassVar[int] = 0
    """Decides every random choice in the world."""
    strict: ClassVar[bool] = True
    """Whether steps that were never played fail the test."""

    sim: Simulation

    def run(self, result: unittest.TestResult | None = None) -> unittest.TestResult | None:
        """Run one test: the world starts before `setUp` and ends after the last cleanup."""
        self.sim = Simulation(seed=self.seed, strict=self.strict, name=f"{type(self).__name__}.sim")
        # Cleanups run last in, first out, so that this one sees what `tearDown` and every other cleanup did.
        self.addCleanup(self._verify)
        self.sim.start()
        try:
            return super().run(None if result is None else _Told(result, self.sim))  # type: ignore[arg-type]  # as good as one
        finally:
            self.sim.stop()

    def _verify(self) -> None:
        found = self.sim.findings(failed=self._has_failed())
        if found:
            raise combined(found)

    def _has_failed(self) -> bool:
        outcome = getattr(self, "_outcome", None)
        return outcome is not None and not outcome.success


class SimulationTestCase(_Simulated):
    """A test case whose tests run in a simulated world, `self.sim`.

    Example:
        >>> class Survives(SimulationTestCase):
        ...     def test_answers(self):
        ...         self.sim.openai.replies("Paris")
    """


class AsyncSimulationTestCase(_Simulated, unittest.IsolatedAsyncioTestCase):
    """The same for coroutines: `asyncSetUp`, the test and `asyncTearDown` run on the virtual loop."""
