"""The line at the end of a run, the dearest tests, JUnit properties, and their sum over workers of pytest-xdist."""

import re

APP = """
import openai

def ask(text="Hi"):
    client = openai.OpenAI(max_retries=0)
    try:
        answer = client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": text}])
        return answer.choices[0].message.content
    except openai.RateLimitError:
        import anthropic
        answer = anthropic.Anthropic().messages.create(
            model="claude-sonnet-4-6", max_tokens=50, messages=[{"role": "user", "content": text}]
        )
        return answer.content[0].text
"""

TESTS = """
import app
from llmtest import Usage, faults
from llmtest.simulation import Reply

def test_cheap(llm_sim):
    llm_sim.openai.replies(Reply("Paris", usage=Usage(1_000, 100)))
    app.ask()

def test_dear(llm_sim):
    llm_sim.openai.fails(faults.RateLimited())
    llm_sim.anthropic.replies(Reply("Paris", usage=Usage(10_000, 1_000)))
    app.ask()
    llm_sim.assert_fallback("openai", "anthropic", because=faults.RateLimited)

def test_nothing():
    pass
"""

LINE = "llmtest: 2 calls, 1 fallback, $0.0485 simulated, 0 cassettes used, 0 live requests"


def test_one_line_sums_up_the_run(run_tests):
    """Calls, fallbacks, spend, cassettes and live requests of all simulations stand in one line."""
    result = run_tests(TESTS, app=APP)
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines([LINE])


def test_the_line_is_the_sum_over_workers(run_tests):
    """Under pytest-xdist the controller prints the sum of what its workers counted."""
    result = run_tests(TESTS, "-n", "2", subprocess=True, app=APP)
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines([LINE])
    assert result.stdout.str().count("llmtest: ") == 1


def test_a_run_without_simulations_prints_nothing(run_tests):
    """A suite that does not use llmtest does not see it."""
    result = run_tests("def test_it():\n    pass\n")
    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("llmtest:*")


def test_the_dearest_tests_are_listed(run_tests):
    """`--llmtest-costs=N` lists the N tests that spent most, the dearest first."""
    result = run_tests(TESTS, "--llmtest-costs=2", app=APP)
    result.stdout.fnmatch_lines(
        ["llmtest: $0.045  test_it.py::test_dear", "llmtest: $0.0035  test_it.py::test_cheap", LINE], consecutive=True
    )


def test_junit_properties_say_what_each_test_did(run_tests, pytester):
    """Each test that used a simulation carries its calls, its cost and its fallbacks into the JUnit file."""
    run_tests(TESTS, "--junitxml=report.xml", app=APP)
    cases = dict(
        re.findall(
            r'<testcase [^>]*name="(\w+)"[^>]*?(?:/>|>(.*?)</testcase>)',
            (pytester.path / "report.xml").read_text(),
            re.DOTALL,
        )
    )
    properties = {
        name: dict(re.findall(r'<property name="(\w+)" value="([^"]*)"', body)) for name, body in cases.items()
    }
    assert properties == {
        "test_cheap": {"llm_calls": "1", "llm_cost_usd": "0.0035", "llm_fallbacks": "0"},
        "test_dear": {"llm_calls": "1", "llm_cost_usd": "0.045", "llm_fallbacks": "1"},
        "test_nothing": {},
    }


def test_an_unknown_price_is_not_zero(run_tests):
    """Answers whose price nobody knows are named beside the sum they are missing from."""
    result = run_tests(
        """
        import openai

        def test_it(llm_sim):
            llm_sim.openai.replies("Paris")
            openai.OpenAI().chat.completions.create(model="my-own", messages=[{"role": "user", "content": "Hi"}])
        """
    )
    result.stdout.fnmatch_lines(
        ["llmtest: 1 call, 0 fallbacks, $0 simulated and 1 answer of unknown price, 0 cassettes used, 0 live requests"]
    )


def test_a_simulation_started_by_hand_is_counted(run_tests):
    """A test that starts its own simulation, or a unittest case, is counted like one with the fixture."""
    result = run_tests(
        """
        import app
        import llmtest

        def test_by_hand():
            with llmtest.Simulation() as sim:
                sim.openai.replies("Paris")
                app.ask()

        class Case(llmtest.SimulationTestCase):
            def test_it(self):
                self.sim.openai.replies("Paris")
                app.ask()
        """,
        app=APP,
    )
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["llmtest: 2 calls, 0 fallbacks, *"])


def test_t45_a_condition_without_steps_that_no_request_met_is_told_at_the_end(run_tests):
    """`when(model=...).echoes()` is nobody's duty; the end of the run says that nothing met it, and what came."""
    result = run_tests(
        """
        import app

        def test_it(llm_sim):
            llm_sim.openai.echoes().when(model="gpt-4.0").generates()
            app.ask()
        """,
        app=APP,
    )
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(
        [
            "llmtest: test_it.py::test_it: `openai`: when(model='gpt-4.0') matched none of its requests: *gpt-4o`[?]",
            "llmtest: 1 call, *",
        ]
    )


def test_waits_that_are_not_virtual_are_counted(run_tests):
    """The line says in how many simulations somebody went by another clock."""
    result = run_tests(
        """
        from llmtest.events import RealTimePassed

        def test_it(llm_sim):
            llm_sim.trace.append(RealTimePassed(0, 0, "native_wait", 4.0))
        """
    )
    result.stdout.fnmatch_lines(["llmtest: 0 calls, *, 0 live requests, 1 simulation with waits that are not virtual"])
