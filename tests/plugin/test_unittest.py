"""`SimulationTestCase` and its asynchronous twin, under pytest and under unittest itself."""

import subprocess
import sys

CASES = """
import asyncio, time, unittest
import openai
from llmtest import AsyncSimulationTestCase, SimulationTestCase, faults

QUESTION = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi"}]}

class Sync(SimulationTestCase):
    def setUp(self):
        self.started = time.monotonic()
        self.sim.openai.fails(faults.RateLimited(retry_after=30), times=2).replies("Paris")

    def test_sync(self):
        assert openai.OpenAI().chat.completions.create(**QUESTION).choices[0].message.content == "Paris"
        assert time.monotonic() - self.started == 60.0
        assert self.sim.clock.elapsed() == 60.0

class Async(AsyncSimulationTestCase):
    async def asyncSetUp(self):
        await asyncio.sleep(100)
        self.sim.openai.fails(faults.RateLimited(retry_after=30), times=2).replies("Paris")

    async def test_async(self):
        answer = await openai.AsyncOpenAI().chat.completions.create(**QUESTION)
        assert answer.choices[0].message.content == "Paris"
        assert self.sim.clock.elapsed() == 160.0
"""

FAILING = """
import openai
from llmtest import SimulationTestCase

class Case(SimulationTestCase):
    def test_left_over(self):
        self.sim.openai.replies("Paris")

    def test_swallowed(self):
        try:
            openai.OpenAI().chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "Hi"}])
        except BaseException:
            pass
"""


def test_both_cases_pass_under_pytest(run_tests):
    """The loop is virtual before `setUp` and `asyncSetUp` run."""
    run_tests(CASES).assert_outcomes(passed=2)


def test_both_cases_pass_under_unittest(pytester):
    """No pytest is needed."""
    pytester.makepyfile(cases=CASES)
    result = subprocess.run(
        [sys.executable, "-W", "error", "-m", "unittest", "cases"], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert "Ran 2 tests" in result.stderr


def test_a_case_is_as_strict_as_the_fixture(run_tests):
    """Unplayed steps and swallowed harness errors fail the test."""
    result = run_tests(FAILING)
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(
        [
            "*UnusedStepsError: `openai` still had 1 of 1 scripted step to play when the test ended.",
            "*UnscriptedRequestError: `openai` received a request that its script has no step for.",
        ]
    )
