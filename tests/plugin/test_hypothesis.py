"""Hypothesis in a simulation: its own clock stays real, and every example may have a world of its own."""

import pytest

from llmtest.errors import ConfigurationError
from llmtest.testing import simulation_per_example

CODE = """
import asyncio
import time

import openai
from hypothesis import HealthCheck, given, settings, strategies as st

from llmtest import faults
from llmtest.testing import simulation_per_example

QUESTION = [{"role": "user", "content": "Capital of France?"}]
waits = st.integers(20, 50)  # seconds; the deadline below is 5, for machines that are slow

@settings(max_examples=10, deadline=5000, database=None)
@given(wait=waits)
@simulation_per_example
def test_own_world(llm_sim, wait):
    llm_sim.openai.fails(faults.RateLimited(retry_after=wait)).replies("Paris")
    with openai.OpenAI() as client:
        client.chat.completions.create(model="gpt-4o", messages=QUESTION)
    assert llm_sim.clock.elapsed() == wait
    llm_sim.assert_sequence("openai:429", "openai:200")

@settings(max_examples=10, deadline=5000, database=None)
@given(wait=waits)
@simulation_per_example(seed=3, start="2027-01-01")
async def test_coroutine(llm_sim, wait):
    await asyncio.sleep(wait)
    assert (llm_sim.seed, llm_sim.clock.elapsed(), llm_sim.clock.now().year) == (3, wait, 2027)

@settings(max_examples=10, deadline=5000, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(wait=waits)
def test_shared_world(llm_sim, wait):
    before = time.monotonic()
    time.sleep(wait)
    assert time.monotonic() - before == wait

@settings(max_examples=3, database=None)
@given(wait=waits)
@simulation_per_example
def test_strict(llm_sim, wait):
    llm_sim.openai.replies("never asked")
"""


def test_t18_hypothesis_keeps_its_own_time(run_tests):
    """Examples that wait for minutes of virtual time meet a deadline of seconds; each has a world of its own."""
    result = run_tests(CODE, "-p", "hypothesispytest", subprocess=True)
    result.assert_outcomes(passed=3, failed=1)
    result.stdout.fnmatch_lines(["*UnusedStepsError: `openai` still had 1 of 1 scripted step to play *"])


GIVEN = """
import llmtest.testing
from hypothesis import HealthCheck, given, settings, strategies as st

{advised}
@given(wait=st.integers(20, 50))
{below}
def test_it(llm_sim, wait):
    llm_sim.clock.advance(wait)
"""


@pytest.mark.parametrize("plugin", ["hypothesispytest", "asyncio"], ids=["with-its-plugin", "without"])
def test_t18_one_world_for_all_examples_is_refused_by_name(run_tests, plugin):
    """`@given` with the plain fixture ends in one clear error, whose two ways out work as they are printed."""
    result = run_tests(GIVEN.format(advised="", below=""), "-p", plugin)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        [
            "E *ConfigurationError: `@given` runs `test_it` many times, and `llm_sim` is one world for all *",
            "E *@llmtest.testing.simulation_per_example",
        ]
    )
    told = [line[1:].strip() for line in result.stdout.lines if line.startswith("E ")]
    advised = list(dict.fromkeys(line for line in told if line[0] == "@"))  # told twice, where `CI` is set
    assert len(advised) == 2
    run_tests(GIVEN.format(advised="", below=advised[0]), "-p", plugin).assert_outcomes(passed=1)
    run_tests(GIVEN.format(advised=advised[1], below=""), "-p", plugin).assert_outcomes(passed=1)


def test_a_function_without_the_parameter_is_refused():
    """A world that nobody can reach is a slip."""

    def test_it(prompt):
        pass

    with pytest.raises(ConfigurationError) as caught:
        simulation_per_example(test_it)
    assert str(caught.value) == (
        "`test_it` has no parameter `llm_sim`, so its simulations would be nobody's.\n"
        "To fix: def test_it(llm_sim, ...), below `@given` and `@simulation_per_example`."
    )
