"""What stands beside the failure of a test that lived in a simulation, whatever failed it."""

import re
import sys

import pytest

APP = """
import openai

def ask(text="Hi", retries=0):
    client = openai.OpenAI(max_retries=retries)
    answer = client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": text}])
    return answer.choices[0].message.content
"""

TRACE = ["*- llmtest -*", "Trace:", "*0.000*openai/gpt-4o*"]


FAILURES = {
    "assert": "assert app.ask() == 'Rome'",
    "exception": "app.ask(); raise ValueError('the app is broken')",
    "pytest-fail": "app.ask(); pytest.fail('no')",
    "base-exception": "app.ask(); raise SystemExit(3)",
    "harness-error": "app.ask(); llm_sim.openai.on('POST', '/x'); httpx.post('https://api.openai.com/x')",
}


@pytest.mark.parametrize("line", FAILURES.values(), ids=list(FAILURES))
def test_t22_a_failing_test_shows_its_trace(run_tests, line):
    """A plain assert, an exception, `pytest.fail`, an error of the harness: the trace stands beside it, once."""
    result = run_tests(
        f"""
        import app, httpx, pytest

        def test_it(llm_sim):
            llm_sim.openai.echoes()
            {line}
        """,
        app=APP,
    )
    assert result.parseoutcomes()["failed"] == 1
    result.stdout.fnmatch_lines(TRACE)
    assert told(result).count("Trace:") == 1


def told(result):
    """Return what a run printed before its summary, which repeats whole errors where `CI` is set."""
    return result.stdout.str().partition("short test summary info")[0]


def test_t22_an_error_in_a_fixture_s_end_shows_the_trace(run_tests):
    """The world is still told about when the test fails as it is torn down."""
    result = run_tests(
        """
        import app, pytest

        @pytest.fixture
        def broken(llm_sim):
            llm_sim.openai.echoes()
            yield
            raise ValueError("the fixture is broken")

        def test_it(broken):
            app.ask()
        """,
        app=APP,
    )
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["E *ValueError: the fixture is broken", *TRACE])


def test_t22_an_error_in_a_fixture_s_beginning_shows_the_trace(run_tests):
    """A fixture that asks and fails has not reached the test, and has a trace all the same."""
    result = run_tests(
        """
        import app, pytest

        @pytest.fixture
        def broken(llm_sim):
            llm_sim.openai.echoes()
            assert app.ask() == "Rome"

        def test_it(broken):
            pass
        """,
        app=APP,
    )
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(TRACE)


def test_t22_steps_left_over_show_the_trace(run_tests):
    """What was played instead is in the trace; the steps stand in the error alone."""
    result = run_tests(
        """
        import app

        def test_it(llm_sim):
            llm_sim.openai.replies("Paris", "Rome")
            app.ask()
        """,
        app=APP,
    )
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["E *UnusedStepsError: `openai` still had 1 of 2 scripted steps*", *TRACE])
    assert told(result).count("still had 1 of 2") == 1


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("llm_sim.assert_attempts('openai', 2)", id="assertion"),
        pytest.param("wrapped(lambda: llm_sim.assert_attempts('openai', 2))", id="shown-as-its-cause"),
        pytest.param("llm_sim.assert_resilient()", id="verdict"),
    ],
)
def test_t22_an_assertion_that_shows_the_trace_is_not_followed_by_another(run_tests, line):
    """Our own assertions hold the trace in their text, also where another error was raised from theirs."""
    result = run_tests(
        f"""
        import app, pytest
        from llmtest import faults

        def wrapped(act):
            try:
                act()
            except AssertionError as error:
                raise RuntimeError("the app's own") from error

        def test_it(llm_sim):
            llm_sim.openai.fails(faults.InvalidRequest(), times=3)
            for _ in range(3):
                with pytest.raises(Exception):
                    app.ask()
            {line}
        """,
        app=APP,
    )
    result.assert_outcomes(failed=1)
    assert len(re.findall(r"^\s*(?:E\s+)?Trace:", told(result), re.MULTILINE)) == 1


def test_t22_findings_stand_beside_a_failure_that_did_not_ask_for_them(run_tests):
    """A test that fails for a plain reason is told what the code under test did wrong."""
    result = run_tests(
        """
        import app, openai
        from llmtest import faults

        def test_it(llm_sim):
            llm_sim.openai.fails(faults.RateLimited(retry_after=30), times=2)
            with llm_sim.call("impatient"):
                for _ in range(2):
                    try:
                        app.ask()
                    except openai.RateLimitError:
                        pass
            assert False, "no answer"
        """,
        app=APP,
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([*TRACE, "Findings:", "  retry_after_ignored *"])


def test_t22_a_verdict_that_cannot_be_told_is_left_out(run_tests):
    """Unmarked calls that overlap have no verdict, and the report does not fail for it."""
    result = run_tests(
        """
        import asyncio, openai

        def test_it(llm_sim):
            llm_sim.openai.echoes().latency(1)

            async def main():
                client = openai.AsyncOpenAI()
                ask = lambda: client.chat.completions.create(
                    model="gpt-4o", messages=[{"role": "user", "content": "Hi"}])
                await asyncio.gather(ask(), ask())

            llm_sim.run(main())
            assert False, "no answer"
        """
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(TRACE)
    assert "Findings:" not in result.stdout.str()


def test_t22_a_long_trace_says_how_many_lines_are_left_out(run_tests):
    """Beginning and end are shown, and the number of lines between them."""
    result = run_tests(
        """
        import app

        def test_it(llm_sim):
            llm_sim.openai.echoes()
            for number in range(35):
                app.ask(str(number))
            assert False, "too many"
        """,
        app=APP,
    )
    result.assert_outcomes(failed=1)
    section = result.stdout.str().partition("Trace:\n")[2].partition("\nllmtest: ")[0].split("\n")
    left_out = [line for line in section if "lines left out" in line]
    assert len(section) == 61
    assert len(left_out) == 1


def test_t22_nothing_is_said_where_there_is_nothing_to_say(run_tests):
    """A test that asked nobody, and one that passes or is expected to fail, have no section."""
    result = run_tests(
        """
        import app, pytest

        def test_silent(llm_sim):
            assert False, "no"

        def test_good(llm_sim):
            llm_sim.openai.echoes()
            app.ask()

        @pytest.mark.xfail
        def test_known(llm_sim):
            llm_sim.openai.echoes()
            assert app.ask() == "Rome"
        """,
        app=APP,
    )
    result.assert_outcomes(failed=1, passed=1, xfailed=1)
    result.stdout.no_fnmatch_line("*- llmtest -*")


BARE = """
import app
from llmtest import Simulation, SimulationTestCase, faults

def test_bare():
    with Simulation() as sim:
        sim.openai.echoes()
        assert app.ask() == "Rome"

def test_bare_with_steps_left():
    with Simulation() as sim:
        sim.openai.replies("Paris", "Rome")
        app.ask()

class Case(SimulationTestCase):
    def test_fails(self):
        self.sim.openai.echoes()
        self.assertEqual(app.ask(), "Rome")

    def test_subtests(self):
        self.sim.openai.echoes()
        with self.subTest("one"):
            assert app.ask() == "Rome"

    def test_set_up(self):
        self.sim.openai.replies("Paris", "Rome")
        app.ask()
"""


@pytest.mark.parametrize(
    ("test", "unused"),
    [
        ("test_bare", False),
        ("test_bare_with_steps_left", True),
        ("Case::test_fails", False),
        ("Case::test_subtests", False),
        ("Case::test_set_up", True),
    ],
)
def test_a5_a_simulation_without_a_fixture_shows_its_trace_too(run_tests, test, unused):
    """A bare `with Simulation()` and the cases of unittest tell as much as the fixture: the trace, once."""
    result = run_tests(BARE, f"test_it.py::{test}", app=APP)
    assert result.parseoutcomes()["failed"] == 1
    result.stdout.fnmatch_lines(TRACE)
    assert told(result).count("Trace:") == 1
    assert ("`openai` still had 1 of 2 scripted steps" in told(result)) == unused


def test_a5_unittest_itself_prints_the_trace(pytester):
    """No pytest is needed: the trace is a note of what failed."""
    pytester.makepyfile(app=APP, cases=BARE)
    printed = pytester.run(sys.executable, "-m", "unittest", "cases.Case.test_fails").stderr
    printed.fnmatch_lines(["AssertionError: 'Hi' != 'Rome'", "Trace:", "*0.000*openai/gpt-4o*", "FAILED (failures=1)"])


def test_a5_an_error_that_is_caught_outside_keeps_its_text(run_tests):
    """The trace stands beside the error's own text, so that `pytest.raises(match=...)` finds what it looks for."""
    run_tests(
        """
        import app, pytest
        from llmtest import Simulation

        def test_it():
            with pytest.raises(ValueError, match="^mine$"), Simulation() as sim:
                sim.openai.echoes()
                app.ask()
                raise ValueError("mine")
        """,
        app=APP,
    ).assert_outcomes(passed=1)
