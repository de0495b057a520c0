"""What an app spends, and what it says of it: held against a limit, and against what the providers charged."""

from decimal import Decimal

import anthropic
import openai
import pytest

from llmtest import Usage
from llmtest.errors import ConfigurationError
from llmtest.simulation import Reply

MESSAGES = [{"role": "user", "content": "Hi"}]


def ask(model="gpt-4o"):
    """Ask openai's SDK once."""
    return openai.OpenAI(max_retries=0).chat.completions.create(model=model, messages=MESSAGES)


@pytest.fixture
def dear(llm_sim):
    """Let each answer cost $0.0125."""
    llm_sim.openai.replies(Reply("Hi", usage=Usage(1000, 1000)), times=None, optional=True)
    return llm_sim


def test_t04_an_app_that_spends_more_than_it_was_given(dear):
    """Two answers of $0.0125 are an overshoot of $0.002, and none of $0.025."""
    ask()
    ask()
    dear.assert_resilient()
    dear.assert_resilient(budget="0.025")
    with pytest.raises(AssertionError) as caught:
        dear.assert_resilient(budget=Decimal("0.002"))
    assert str(caught.value).splitlines()[:5] == [
        "assert_resilient: 1 finding.",
        "",
        "  budget_overshoot  $0.025 were spent of $0.002. To blame: the app.",
        "                    | #1 openai/gpt-4o $0.0125",
        "                    | #2 openai/gpt-4o $0.0125",
    ]


@pytest.mark.llm_budget(usd="0.05")
def test_t28_the_marker_s_limit_is_the_verdict_s(dear):
    """The marker of a test says what its calls may cost, in the verdict too; what the assertion says goes first."""
    ask()
    dear.assert_resilient()
    dear.spend_limit /= 10
    with pytest.raises(AssertionError, match=r"budget_overshoot  \$0\.0125 were spent of \$0\.005\."):
        dear.assert_resilient()
    dear.assert_resilient(budget="0.02")


def test_t28_assert_resilient_in_a_test_that_overspent(run_tests):
    """A test over the limit of its marker fails at the assertion already."""
    run_tests(
        """
import openai, pytest
from llmtest import Usage
from llmtest.simulation import Reply

@pytest.mark.llm_budget(usd="0.002")
def test_it(llm_sim):
    llm_sim.openai.replies(Reply("Hi", usage=Usage(1000, 1000)))
    openai.OpenAI().chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "Hi"}])
    llm_sim.assert_resilient()
"""
    ).stdout.fnmatch_lines(["E *budget_overshoot  $0.0125 were spent of $0.002. To blame: the app."])


def test_a_spend_of_unknown_price_is_undecided(llm_sim):
    """What has no price is neither zero nor an accusation."""
    llm_sim.openai.replies("Hi")
    ask("house-model")
    undecided = llm_sim.assert_resilient(budget="0.01").undecided
    assert str(undecided["budget_overshoot"]) == "$0 of $0.01 are known to be spent, and 1 answers have no price."


@pytest.mark.parametrize(
    ("told", "line"),
    [
        ({"cost": "0.00125"}, "cost    $0.00125 told, $0.0125 charged"),
        ({"model": "gpt-4o-mini"}, "model   `gpt-4o-mini` told, `gpt-4o` asked"),
        ({"tokens": 1000}, "tokens  1000 told, 2000 used"),
        ({"tokens": Usage(1000, 10)}, "tokens  1000+10 told, 1000+1000 used"),
    ],
)
def test_what_an_app_says_wrongly_of_its_calls(dear, told, line):
    """A cost, a model or tokens that are not the charged ones fail, and the charged ones are shown."""
    ask()
    with pytest.raises(AssertionError) as caught:
        dear.assert_reported(**told)
    assert str(caught.value).splitlines()[:4] == [
        "assert_reported: cost_misreported, the app says something else than the providers charged.",
        "",
        f"  {line}",
        "  | #1 openai/gpt-4o 200  1000+1000 tokens  $0.0125",
    ]


def test_what_an_app_says_rightly_of_its_calls(dear):
    """The charged cost, within a percent, the model and the tokens in any form hold."""
    answer = ask()
    dear.assert_reported(cost="0.0125", model="openai/gpt-4o", tokens=2000)
    dear.assert_reported(cost=Decimal("0.01255"), tokens=answer.usage)
    dear.anthropic.replies(Reply("Hi", usage=Usage(1000, 1000)))
    other = anthropic.Anthropic().messages.create(model="claude-sonnet-4-6", max_tokens=2000, messages=MESSAGES)
    dear.assert_reported(cost=dear.costs.total_usd, model=other.model, tokens=4000)


@pytest.mark.parametrize("told", [{}, {"tokens": "many"}, {"cost": -0.1}, {"cost": "much"}], ids=str)
def test_what_says_nothing_is_refused(dear, told):
    """An assertion that could not fail, or that means nothing, is an error with the way to write it."""
    with pytest.raises(ConfigurationError, match="To fix: "):
        dear.assert_reported(**told)


@pytest.mark.parametrize(
    ("told", "text"),
    [
        ({"usage": Usage(1000, 1)}, "told 1000+1 tokens, and 1000+1000 were used."),
        ({"model": "gpt-5"}, "told the model `gpt-5`, and `gpt-4o` was asked."),
        ({"cost": "0.5"}, "told a cost of $0.5, and $0.0125 were charged."),
    ],
    ids=["usage", "model", "cost"],
)
def test_what_a_marked_call_says_of_itself(dear, told, text):
    """What a call returned is held against what it came to; the SDK's own answer is always right."""
    with dear.call("right") as call:
        call.returned(ask(), cost="0.0125")
    dear.assert_resilient()
    with dear.call("wrong") as call:
        call.returned(ask(), **told)
    with pytest.raises(AssertionError, match=r"  cost_misreported  call 2 ") as caught:
        dear.assert_resilient()
    assert text in str(caught.value)


@pytest.mark.parametrize(
    ("thresholds", "text"),
    [
        ({"retry_strom": 2}, "there is no threshold `retry_strom`. Did you mean `retry_storm`?"),
        ({"retried_non_retryable": 2}, "`retried_non_retryable` has no threshold."),
        ({"retry_storm.requests": 0}, "the threshold `retry_storm.requests` is a number, 1 or more; got 0."),
        ({"no_backoff.pause": float("nan")}, "the threshold `no_backoff.pause` is a number, 0 or more; got nan."),
        ({"gave_up": True}, "the threshold `gave_up` is a number, 0 or more; got True."),
    ],
    ids=["misspelt", "none", "too-small", "nan", "bool"],
)
def test_thresholds_that_make_no_sense(llm_sim, thresholds, text):
    """A threshold that nobody reads, or that is no number, is refused with the nearest one."""
    with pytest.raises(ConfigurationError) as caught:
        llm_sim.assert_resilient(thresholds=thresholds)
    assert str(caught.value).splitlines()[0].startswith(f"assert_resilient: {text}")
