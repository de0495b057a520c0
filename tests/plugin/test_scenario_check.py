"""`llm_scenario(check=True)`: a scenario's expectations judged over what a test did in place of its load."""

import pytest

SCENARIO = """
version: 1
name: short outage
seed: 7
providers:
  openai: {model: gpt-4o}
  anthropic: {model: claude-sonnet-4-6}
chain:
  retry: {max_attempts: 2}
  circuit_breaker: {failure_threshold: 2, cooldown_secs: 30}
  providers: [{provider: openai}, {provider: anthropic, trigger: any_error}]
load: {rate: 1/s, duration: 1h}
faults:
  - {name: outage, at: 1m, for: 1m, where: {provider: openai}, what: {server_error: {status: 503}}}
"""

APP = """
import time
import anthropic, openai, pytest
from llmtest import AnthropicProvider, LLMClient, OpenAIProvider, build_chain

MESSAGES = [{"role": "user", "content": "Hi"}]

def ask(max_retries=0):
    try:
        client = openai.OpenAI(max_retries=max_retries)
        client.chat.completions.create(model="gpt-4o", messages=MESSAGES)
    except openai.InternalServerError:
        anthropic.Anthropic().messages.create(model="claude-sonnet-4-6", max_tokens=50, messages=MESSAGES)

def checked(**more):
    return pytest.mark.llm_scenario("outage.yaml", check=True, **more)
"""


@pytest.fixture
def run_checked(pytester, run_tests):
    """Return a function that runs test code beside a scenario with the given expectations."""

    def run(code, expect="", *arguments, scenario=SCENARIO):
        entries = "".join(f"  {line}\n" for line in expect.splitlines())
        pytester.path.joinpath("outage.yaml").write_text(scenario + (f"expect:\n{entries}" if entries else ""))
        pytester.path.joinpath("app.py").write_text(APP)
        return run_tests(f"from app import *\n{code}", *arguments)

    return run


THROUGH_THE_OUTAGE = """
@checked()
def test_outage(llm_sim):
    ask()
    time.sleep(90)
    ask(max_retries=1)
    time.sleep(60)
    ask()
"""


def test_expectations_hold_over_what_the_test_did(run_checked):
    """Unmarked requests of foreign SDKs are one call for each answer, with their retries, fallbacks and spend."""
    expect = """
calls: 3
availability: "100%"
attempts: 5
attempts.openai: 4
retries: 1
fallbacks: 1
served_by.anthropic: 1
served_by.openai: ">= 60%"
faults_fired.outage: 2
spend: "< 0.10"
latency.max: "<= 1s"
verdict: clean
"""
    run_checked(THROUGH_THE_OUTAGE, expect).assert_outcomes(passed=1)


def test_an_expectation_that_does_not_hold(run_checked):
    """The test fails with every expectation, what was found, how to do it again, and the trace."""
    result = run_checked(THROUGH_THE_OUTAGE, 'availability: ">= 99.9%"\nfallbacks: ">= 2"\nretries: 0')
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "E *AssertionError: `short outage`: 2 of 3 expectations did not hold, seed 7.",
            "*   availability  expected >= 99.9%, was 100%",
            "*> fallbacks     expected >= 2, was 1",
            "*> retries       expected == 0, was 1",
            "*3 calls, 5 attempts, 1 fallback in 150.* virtual seconds",
            "*Reproduce: pytest test_it.py::test_outage --llmtest-seed=7",
            "*Trace:",
            "*  t/s*call*event*who*what",
        ]
    )


def test_the_same_without_check_is_not_judged(run_checked):
    """Without `check=True` neither an expectation nor a fault that never struck fails the test."""
    code = """
@pytest.mark.llm_scenario("outage.yaml")
def test_it(llm_sim):
    ask()
"""
    run_checked(code, "calls: 99").assert_outcomes(passed=1)


def test_a_fault_that_never_struck_fails(run_checked):
    """A scenario without expectations still demands that its faults were met."""
    result = run_checked("@checked()\ndef test_it():\n    ask()\n")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "E *AssertionError: `short outage`: 1 of 1 expectation did not hold, seed 7.",
            "*> faults_fired.outage  expected >= 1, was 0: the rule never struck",
            "*1 call, 1 attempt, 0 fallbacks in 0 virtual seconds",
        ]
    )


def test_a_fault_marked_optional_need_not_strike(run_checked):
    """`optional: true` exempts a fault here as in a run."""
    scenario = SCENARIO.replace("{name: outage,", "{name: outage, optional: true,")
    run_checked("@checked()\ndef test_it():\n    ask()\n", "calls: 1", scenario=scenario).assert_outcomes(passed=1)


def test_what_failed_after_the_last_answer_is_a_failed_call(run_checked):
    """A call nobody answered counts against the availability."""
    code = """
@checked()
def test_it():
    ask()
    time.sleep(90)
    with pytest.raises(openai.InternalServerError):
        openai.OpenAI(max_retries=2).chat.completions.create(model="gpt-4o", messages=MESSAGES)
"""
    run_checked(code, "calls: 2\nfailed: 1\navailability: '50%'\nretries: 2").assert_outcomes(passed=1)


def test_marked_calls_count_as_the_app_sees_them(run_checked):
    """A call marked with `llm_sim.call` is one call, answered if it returned; an agent's turns are no retries."""
    code = """
@checked()
def test_it(llm_sim):
    with llm_sim.call("agent"):
        ask()
        ask()
        time.sleep(60)
        ask()
    with pytest.raises(openai.InternalServerError), llm_sim.call("failing"):
        openai.OpenAI(max_retries=0).chat.completions.create(model="gpt-4o", messages=MESSAGES)
"""
    expect = "calls: 2\nsucceeded: 1\nretries: 0\nfallbacks: 1\nserved_by.anthropic: 1"
    run_checked(code, expect).assert_outcomes(passed=1)


OUR_LAYER = """
@checked()
def test_it():
    chain = build_chain({
        "name": "ours",
        "retry": {"max_attempts": 2, "base_delay": 1},
        "circuit_breaker": {"failure_threshold": 2, "cooldown_secs": 30},
        "providers": [
            {"provider": OpenAIProvider(model="gpt-4o")},
            {"provider": AnthropicProvider(model="claude-sonnet-4-6"), "trigger": "any_error"},
        ],
    })
    ask_chain = LLMClient(chain).ask
    ask_chain("Hi")
    time.sleep(90)
    for _ in range(3):
        ask_chain("Hi")
    time.sleep(60)
    ask_chain("Hi")
"""


def test_our_own_layer_tells_its_decisions_itself(run_checked):
    """A chain's retries, fallbacks over an open circuit and breaker states are those of its events."""
    expect = """
calls: 5
attempts.openai: 6
retries: 2
fallbacks: 3
served_by.anthropic: 3
breaker.openai: [closed, open, half_open, closed]
breaker.anthropic: {exactly: [closed]}
"""
    run_checked(OUR_LAYER, expect).assert_outcomes(passed=1)


def test_the_same_question_asked_again_is_not_guessed(run_checked):
    """Where it is unknown whether a request repeats another, an expectation that turns on it is refused."""
    code = """
@checked()
def test_it():
    time.sleep(60)
    once = openai.OpenAI(max_retries=0).chat.completions.create
    with pytest.raises(openai.InternalServerError):
        once(model="gpt-4o", messages=MESSAGES)
    time.sleep(60)
    once(model="gpt-4o", messages=MESSAGES)
"""
    run_checked(code, "attempts: 2\nspend: '< 1'").assert_outcomes(passed=1)
    run_checked(code, "availability: '>= 50%'").assert_outcomes(passed=1)
    result = run_checked(code, "availability: '> 70%'")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "E *AmbiguousCallError: llm_scenario(check=True) cannot tell which requests belong together, and *",
            "*  openai/gpt-4o:503 began at 60.000 s and failed",
            "*  openai/gpt-4o:200 began at 120.000 s",
        ]
    )


def test_a_foreign_circuit_is_inferred_or_refused(run_checked):
    """A breaker of foreign code shows in marked calls that leave the provider out; unmarked, it cannot be told."""
    code = """
def skip():
    anthropic.Anthropic().messages.create(model="claude-sonnet-4-6", max_tokens=50, messages=MESSAGES)

@checked()
def test_it(llm_sim):
    time.sleep(60)
    for step in (ask, ask, skip):
        with llm_sim.call("summary"):
            step()
"""
    run_checked(code, "breaker.openai: {exactly: [closed, open]}").assert_outcomes(passed=1)
    result = run_checked(code.replace('with llm_sim.call("summary"):', "if True:"), "breaker.openai: [closed, open]")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["E *AmbiguousCallError: llm_scenario(check=True) cannot infer the circuit of `openai`: the code under test *"]
    )


def test_a_circuit_that_nobody_touched_is_closed(run_checked):
    """A provider of the scenario that was never asked has a closed circuit, whoever the code under test is."""
    code = """
@checked()
def test_it():
    time.sleep(60)
    with pytest.raises(openai.InternalServerError):
        openai.OpenAI(max_retries=0).chat.completions.create(model="gpt-4o", messages=MESSAGES)
"""
    run_checked(code, "breaker.anthropic: {exactly: [closed]}").assert_outcomes(passed=1)


def test_a_failed_body_is_not_judged_on_top(run_checked):
    """A test that fails by itself shows its own failure, and no expectation."""
    result = run_checked("@checked()\ndef test_it():\n    assert 1 == 2\n", "calls: 99")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E *assert 1 == 2"])
    result.stdout.no_fnmatch_line("*did not hold*")


def test_a_swallowed_harness_error_goes_first(run_checked):
    """What is wrong with the test is told at its end, alone."""
    code = """
@checked()
def test_it():
    import urllib.request
    try:
        urllib.request.urlopen("http://192.0.2.1/")
    except BaseException:
        pass
"""
    result = run_checked(code, "calls: 99")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["E *NetworkBlockedError: *"])
    result.stdout.no_fnmatch_line("*did not hold*")


def test_the_scenario_s_seed_and_prices_hold(run_checked):
    """The world draws with the scenario's seed unless the flag says otherwise, and charges its prices."""
    scenario = SCENARIO.replace(
        "openai: {model: gpt-4o}", "openai: {model: house-model, price: {input: '1000000', output: '0'}}"
    )
    code = """
@checked()
def test_it(llm_sim):
    openai.OpenAI().chat.completions.create(model="house-model", messages=MESSAGES)
    time.sleep(60)
    ask()
    assert llm_sim.seed == SEED
"""
    expect = "spend: '>= 1'"
    run_checked(f"SEED = 7\n{code}", expect, scenario=scenario).assert_outcomes(passed=1)
    run_checked(f"SEED = 3\n{code}", expect, "--llmtest-seed=3", scenario=scenario).assert_outcomes(passed=1)


def test_tests_that_share_a_world_each_meet_the_scenario_from_its_start(run_checked):
    """In a shared world a scenario's times count from the test's beginning, and its prices end with the test."""
    code = """
@pytest.mark.parametrize("time_of_the_day", ["first", "second"])
@checked()
def test_outage(llm_sim_module, time_of_the_day):
    ask()
    time.sleep(90)
    ask()

def test_afterwards(llm_sim_module):
    llm_sim_module.openai.replies("Hi")
    ask()
    llm_sim_module.assert_sequence("openai:200")
"""
    run_checked(code, "fallbacks: 1\ncalls: 2\nfaults_fired.outage: 1").assert_outcomes(passed=3)


def test_a_unittest_method_is_judged(run_checked):
    """The marker works on a method of a `unittest.TestCase`."""
    code = """
import unittest

class TestOutage(unittest.TestCase):
    @checked()
    def test_it(self):
        ask()
"""
    result = run_checked(code)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E *AssertionError: `short outage`: 1 of 1 expectation did not hold, seed 7."])


@pytest.mark.parametrize(
    ("marker", "message"),
    [
        pytest.param(
            '"outage.yaml", chek=True',
            "E *ConfigurationError: `llm_scenario` has no argument `chek`. Did you mean `check`?",
            id="misspelt",
        ),
        pytest.param(
            "check=True",
            "E *ConfigurationError: `llm_scenario` needs a file.",
            id="no-file",
        ),
        pytest.param(
            '"outage.yaml", check=True',
            "E *`llm_scenario(check=True)`: `outage.yaml` has nothing that could fail: no `expect`, and no fault that "
            "has to strike.",
            id="nothing-to-check",
        ),
    ],
)
def test_a_marker_that_proves_nothing_is_refused(run_checked, marker, message):
    """A misspelt argument, a missing file and a check of nothing fail the test instead of passing it."""
    scenario = SCENARIO.partition("faults:")[0]
    result = run_checked(f"@pytest.mark.llm_scenario({marker})\ndef test_it():\n    pass\n", scenario=scenario)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([message])
