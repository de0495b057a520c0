"""Arguments of assertions that can never hold, or never fail, are mistakes of the test and told as such."""

import math
from decimal import Decimal

import openai
import pytest

from llmtest import BudgetConfig, Simulation, unordered
from llmtest.errors import ConfigurationError, UnusedStepsError


@pytest.fixture
def sim():
    """A world in which OpenAI was asked once and answered."""
    with Simulation(strict=False) as simulation:
        simulation.openai.echoes()
        ask()
        yield simulation


def ask(text="Capital of France?", model="gpt-4o"):
    """Ask OpenAI by its SDK."""
    client = openai.OpenAI(api_key="sk-test", max_retries=0)
    return client.chat.completions.create(model=model, messages=[{"role": "user", "content": text}])


def run(write):
    """Write a script, ask once, and end the world."""
    with Simulation() as sim:
        write(sim)
        ask()


UNKNOWN = {
    "attempts": lambda sim: sim.assert_attempts("opneai", at_most=2),
    "attempts-of-a-model": lambda sim: sim.assert_attempts("opneai/gpt-4o", 0),
    "in-flight": lambda sim: sim.assert_max_in_flight("opneai", 4),
    "fallback-from": lambda sim: sim.assert_fallback("opneai", "anthropic"),
    "fallback-to": lambda sim: sim.assert_fallback("anthropic", "opneai"),
    "breaker": lambda sim: sim.assert_breaker("opneai", "closed"),
    "step": lambda sim: sim.assert_sequence("opneai:200", exact=False),
    "unordered-step": lambda sim: sim.assert_sequence(unordered("openai:200", "opneai:200")),
}


@pytest.mark.parametrize("act", UNKNOWN.values(), ids=list(UNKNOWN))
def test_t45_a_provider_that_nobody_is_has_its_nearest(sim, act):
    """An assertion about a provider that is not there would hold of nothing, or never."""
    with pytest.raises(ConfigurationError) as caught:
        act(sim)
    headline, listed, fix = str(caught.value).split("\n")
    assert headline.endswith(
        ": there is no provider `opneai` in this simulation, so it would prove nothing. Did you mean `openai`?"
    )
    assert listed.startswith("Providers: anthropic, azure, bedrock, cohere, ")
    assert fix == "To fix: write `openai`."


def test_t45_providers_that_were_made_or_only_spoke_in_the_trace_are_known(sim):
    """A provider of its own name, one at an address, one of our own layer that nobody simulates."""
    sim.provider("mistral").replies("x", optional=True)
    sim.world.register("groq", "https://api.groq.com/openai/v1")
    sim.assert_attempts("mistral", 0)
    sim.assert_attempts("groq", 0)
    sim.assert_max_in_flight("anthropic", 0)


NEVER = {
    "nan": (lambda sim: sim.assert_waited(at_least=math.nan), "at_least must be seconds, 0 or more, got nan."),
    "inf": (lambda sim: sim.assert_waited(at_most=math.inf), "at_most must be seconds, 0 or more, got inf."),
    "negative": (lambda sim: sim.assert_waited(at_least=-1), "at_least must be seconds, 0 or more, got -1."),
    "text": (lambda sim: sim.assert_waited(at_most="30s"), "at_most must be seconds, 0 or more, got '30s'."),
    "seconds-crossed": (
        lambda sim: sim.assert_waited(at_least=30, at_most=3),
        "nothing is at_least=30 and at_most=3 at once, so it would never hold.",
    ),
    "counts-crossed": (
        lambda sim: sim.assert_attempts("openai", at_least=3, at_most=1),
        "nothing is at_least=3 and at_most=1 at once, so it would never hold.",
    ),
    "exactly-and-at-most": (
        lambda sim: sim.assert_retries(exactly=3, at_most=1),
        "nothing is exactly=3 and at_most=1 at once, so it would never hold.",
    ),
    "negative-count": (
        lambda sim: sim.assert_attempts("openai", -1),
        "exactly must be a whole number, 0 or more, got -1.",
    ),
    "fraction": (
        lambda sim: sim.assert_retries(at_most=0.5),
        "at_most must be a whole number, 0 or more, got 0.5.",
    ),
    "true": (
        lambda sim: sim.assert_attempts("openai", at_most=True),
        "at_most must be a whole number, 0 or more, got True.",
    ),
    "in-flight": (
        lambda sim: sim.assert_max_in_flight("openai", -1),
        "n must be a whole number, 0 or more, got -1.",
    ),
    "spend-crossed": (
        lambda sim: sim.assert_spend(at_least="3", at_most="1.50"),
        'nothing is at_least="3" and at_most="1.50" at once, so it would never hold.',
    ),
    "no-step": (
        lambda sim: sim.assert_sequence(exact=False),
        "without steps and with exact=False it would accept anything.",
    ),
    "no-step-in-any-order": (
        lambda sim: sim.assert_sequence(unordered(), exact=False),
        "without steps and with exact=False it would accept anything.",
    ),
    "no-state": (
        lambda sim: sim.assert_breaker("openai", exact=False),
        "assert_breaker was given no state, and a circuit has one at least.",
    ),
    "status": (
        lambda sim: sim.assert_sequence("openai:999"),
        "the step `openai:999` ends in an unknown outcome `999`.",
    ),
    "outcome": (
        lambda sim: sim.assert_sequence("openai:timeuot"),
        "the step `openai:timeuot` ends in an unknown outcome `timeuot`. Did you mean `timeout`?",
    ),
}


@pytest.mark.parametrize(("act", "text"), NEVER.values(), ids=list(NEVER))
def test_t45_what_can_never_hold_or_never_fail_is_refused(sim, act, text):
    """No number that is none, no bounds with nothing between them, no assertion that accepts anything."""
    with pytest.raises(ConfigurationError) as caught:
        act(sim)
    assert str(caught.value).partition("\n")[0].endswith(text)


def test_t45_an_empty_sequence_still_means_that_nothing_was_asked(sim):
    """Without steps and `exact`, any attempt is one too many."""
    with pytest.raises(AssertionError, match=r"^assert_sequence: 0 attempts were expected and 1 was made"):
        sim.assert_sequence()


@pytest.mark.parametrize("times", [None, 1])
def test_t45_steps_for_ever_that_were_never_played_fail_the_test(times):
    """A step without a number is for one request at least; `optional=True` says that none may come."""

    def write(sim):
        sim.openai.echoes().when(prompt_contains="Rome").replies("Rome", times=times)
        sim.anthropic.replies("standby", times=None, optional=True)

    with pytest.raises(UnusedStepsError) as caught:
        run(write)
    text = str(caught.value)
    assert text.startswith("`openai` still had 1 of 1 scripted step to play when the test ended.\n\n  step 1: replies(")
    assert text.split("\n")[2].endswith("   (for ever)") is (times is None)


def test_t45_steps_for_ever_that_were_played_once_are_enough():
    """Nobody says how often they have to be played."""
    with Simulation() as sim:
        sim.openai.replies("a", "b", times=None)
        assert [ask().choices[0].message.content for _ in range(2)] == ["a", "b"]
        assert sim.findings() == []


@pytest.mark.parametrize(
    ("step", "meant"),
    [
        ("openai-200", "openai:200"),
        ("openai 429", "openai:429"),
        ("openai/gpt-4o-200", "openai/gpt-4o:200"),
        ("openai->timeout", "openai:timeout"),
        ("openai", "openai:200"),
        ("openai:", "openai:200"),
        (":429", "openai:429"),
        ("429", "openai:429"),
        ("openai:timeuot", "openai:timeout"),
        ("openai:2000", "openai:200"),
        (429, "openai:429"),
    ],
)
def test_t19_a_step_that_is_none_has_the_step_that_was_meant(sim, step, meant):
    """The advice is a step that is taken."""
    with pytest.raises(ConfigurationError) as caught:
        sim.assert_sequence(step)
    assert f"To fix: write `{meant}`" in str(caught.value)
    with pytest.raises(AssertionError) if meant != "openai:200" and "gpt-4o" not in meant else sim.call("x"):
        sim.assert_sequence(meant)


@pytest.mark.parametrize("amount", [0.1, "0.1", Decimal("0.1")])
def test_m06_a_float_is_read_as_the_digits_it_prints_wherever_money_is_limited(sim, amount):
    """`0.1` is a tenth for an assertion as for a budget, however it is written."""
    sim.assert_spend(at_most=amount)
    sim.assert_resilient(budget=amount)
    assert BudgetConfig(max_cost_per_day=amount).max_cost_per_day == Decimal("0.1")
    with pytest.raises(AssertionError, match=r"\$0\.1"):
        sim.assert_spend(at_least=amount)


CONDITIONS = {
    "model": (
        lambda handle: handle.when(model="gpt-4.0"),
        "when(model='gpt-4.0') matched none of its requests: the models asked for were gpt-4o. Did you mean `gpt-4o`?",
    ),
    "prompt": (
        lambda handle: handle.when(prompt_contains="capital of france"),
        (
            "when(prompt_contains='capital of france') matched none of its requests: the prompts were "
            "'Capital of France?'. Did you mean `Capital of France?`?"
        ),
    ),
    "turn": (
        lambda handle: handle.when(turn=2),
        "when(turn=2) matched none of its requests: the turns were 1.",
    ),
    "operation": (
        lambda handle: handle.when(operation="embedding"),
        "when(operation='embedding') matched none of its requests: the operations were chat.",
    ),
    "key": (
        lambda handle: handle.when(api_key="sk-other"),
        "when(api_key=...) matched none of its requests: they came with another key.",
    ),
    "both": (
        lambda handle: handle.when(model="gpt-4o", prompt_contains="Rome"),
        (
            "when(prompt_contains='Rome', model='gpt-4o') matched none of its requests: the prompts were "
            "'Capital of France?'."
        ),
    ),
}


@pytest.mark.parametrize(("condition", "text"), CONDITIONS.values(), ids=list(CONDITIONS))
def test_t45_a_condition_that_nothing_met_tells_what_came_instead(condition, text):
    """The error of the step that was left over names the condition, what the provider saw, and the nearest."""
    with pytest.raises(UnusedStepsError) as caught:
        run(lambda sim: condition(sim.openai.echoes()).replies("x"))
    assert f"\n\n  {text}\n\nThe code under test stopped after 1 request." in str(caught.value)
