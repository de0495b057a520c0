"""`@pytest.mark.llm_budget`: what it counts, what it takes, and budgets of the code under test beside it."""

import pytest

ASKING = """
import pytest
from llmtest import Budget, BudgetConfig, FallbackChain, LLMClient, Usage, faults
from llmtest.simulation import Reply

def client(llm_sim, **settings):
    providers = [llm_sim.openai.as_provider("gpt-4o"), llm_sim.anthropic.as_provider("claude-opus-5")]
    return LLMClient(FallbackChain(providers, **settings))

@pytest.mark.llm_budget({arguments})
def test_it(llm_sim):
    {body}
"""
ONE_CALL = 'llm_sim.openai.replies(Reply("Paris", usage=Usage(10_000, 2_000))); client(llm_sim).ask("Capital?")'


@pytest.mark.parametrize("arguments", ['usd="0.045"', '"0.045"', "usd=1"], ids=["exact", "positional", "whole"])
def test_spending_exactly_the_limit_is_allowed(run_tests, arguments):
    """The limit is inclusive, and may be given in each of its forms."""
    run_tests(ASKING.format(arguments=arguments, body=ONE_CALL)).assert_outcomes(passed=1)


def test_a_limit_of_zero_denies_whatever_costs(run_tests):
    """Zero lets a test pass that spends nothing, and no other."""
    run_tests(ASKING.format(arguments='usd="0"', body="pass")).assert_outcomes(passed=1)
    result = run_tests(ASKING.format(arguments='usd="0"', body=ONE_CALL))
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(['*this test spent $0.045 of its $0 budget (`@pytest.mark.llm_budget(usd="0")`).'])


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ("usd=-1", "E *ConfigurationError: usd=-1 is no amount of USD."),
        ('usd="nan"', "E *ConfigurationError: usd='nan' is no amount of USD."),
        ('usd=float("inf")', "E *ConfigurationError: usd=inf is no amount of USD."),
        ('usd="a lot"', "E *ConfigurationError: usd='a lot' is no amount of USD."),
        ("usd=True", "E *ConfigurationError: usd=True is no amount of USD."),
        ("", "E *ConfigurationError: `llm_budget` needs a limit."),
        ('eur="1"', "E *ConfigurationError: `llm_budget(eur=...)`: it takes one limit."),
        ('"1", "2"', "E *ConfigurationError: `llm_budget('1', '2')`: it takes one limit."),
    ],
)
def test_a_limit_that_is_none_fails_the_test(run_tests, arguments, line):
    """A marker that says nothing, or something else, never passes for a limit that was kept."""
    result = run_tests(ASKING.format(arguments=arguments, body="pass"))
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([line])


def test_u04_failed_calls_that_are_billed_count(run_tests):
    """A call that timed out is part of what a test spent."""
    body = 'llm_sim.openai.fails(faults.Timeout()).replies("Paris"); client(llm_sim).ask("x" * 400_000)'
    result = run_tests(ASKING.format(arguments='usd="0.30"', body=body))
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*this test spent $0.50004 of its $0.3 budget*", "*100,004 in   0 out   $0.25001"])


def test_u10_an_unknown_price_is_no_zero(run_tests):
    """A model that nobody has a price for fails the test, instead of passing for free."""
    body = 'llm_sim.openai.replies("Paris"); LLMClient(llm_sim.openai.as_provider("gpt-99")).ask("Capital?")'
    result = run_tests(ASKING.format(arguments='usd="1"', body=body))
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E *UnknownPriceError: the total is unknown: 1 of 1 calls have no known price."])


def test_u11_a_budget_of_the_code_under_test_is_its_own(run_tests):
    """What the code refuses to spend is an error it raises, which no retry and no other provider answers."""
    body = (
        'llm_sim.openai.replies("Paris", optional=True); llm_sim.anthropic.replies("Paris", optional=True); '
        'budget = Budget(BudgetConfig(max_cost_per_day="0.001"))\n'
        '    with pytest.raises(Exception, match="budget exceeded: day limit") as caught:\n'
        '        client(llm_sim, budget=budget).ask("Capital?")\n'
        '    assert type(caught.value).__name__ == "BudgetExceededError"\n'
        '    llm_sim.assert_attempts("openai", 0)\n'
        '    llm_sim.assert_attempts("anthropic", 0)\n'
    )
    run_tests(ASKING.format(arguments='usd="0"', body=body)).assert_outcomes(passed=1)
