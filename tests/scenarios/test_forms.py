"""The forms a scenario file may take: nested checks, distributions, counts and rates with units, TOML."""

import pytest

from llmtest.errors import ScenarioError
from llmtest.scenarios import load_scenario, run_scenario
from llmtest.simulation import Gamma, Lognormal, Uniform

TEXT = """\
version: 1
name: forms
providers: {openai: {model: gpt-4o}}
chain: {providers: [{provider: openai}]}
load: {rate: 60/min, arrivals: constant, duration: 1m30s}
"""


def load(tmp_path, text, name="scenario.yaml"):
    """Load a scenario of this text."""
    path = tmp_path / name
    path.write_text(text)
    return load_scenario(path)


def test_nested_checks_are_the_same_as_dotted_ones(tmp_path):
    """`latency: {p50: ...}` is `latency.p50`, for every check that has a tail."""
    nested = "expect: {latency: {p50: '<= 1s', max: '<= 250ms'}, attempts: {openai: 90}, served_by: {openai: '100%'}}\n"
    dotted = "expect: {latency.p50: '<= 1s', latency.max: '<= 250ms', attempts.openai: 90, served_by.openai: '100%'}\n"
    first, second = load(tmp_path, TEXT + nested), load(tmp_path, TEXT + dotted)
    assert first.expect == second.expect
    result = run_scenario(first)
    assert result.ok, result.expectations
    assert [check.actual for check in result.expectations] == ["0s", "0s", "90", "100%"]


@pytest.mark.parametrize(
    ("written", "distribution"),
    [
        ("{lognormal: {median: 400ms, p99: 2s}}", Lognormal(0.4, 2.0)),
        ("{uniform: {low: 100ms, high: 300ms}}", Uniform(0.1, 0.3)),
        ("{gamma: {mean: 1s, cv: 0.5}}", Gamma(1.0, 0.5)),
    ],
    ids=["lognormal", "uniform", "gamma"],
)
def test_latency_may_be_a_distribution(tmp_path, written, distribution):
    """Each distribution is drawn from as it is written, and decides how long calls take."""
    text = TEXT.replace("{model: gpt-4o}", f"{{model: gpt-4o, latency: {{total: {written}}}}}")
    scenario = load(tmp_path, text)
    assert scenario.providers[0].latency.total == distribution
    result = run_scenario(scenario)
    assert 0.05 < result.latency["p50"] < 1.5
    assert result.latency["p50"] < result.latency["p99"]


def test_the_same_in_toml(tmp_path):
    """A scenario in TOML is the same scenario."""
    toml = """\
version = 1
name = "forms"
[providers.openai]
model = "gpt-4o"
[[chain.providers]]
provider = "openai"
[load]
rate = "60/min"
arrivals = "constant"
duration = "1m30s"
"""
    scenario, same = load(tmp_path, TEXT), load(tmp_path, toml, "scenario.toml")
    assert (same.load, same.providers, same.chain) == (scenario.load, scenario.providers, scenario.chain)


TWICE = (
    'version = 1\nversion = 1\nname = "x"\nproviders.openai.model = "gpt-4o"\n'
    'chain.providers = [{provider = "openai"}]\nload.rate = "1/s"\nload.duration = "1s"\n'
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('version = 1\nname = "x\n', ":2: not valid TOML: illegal character '\\n'."),
        (
            TWICE,
            ":2: the key `version` is given twice, here and on line 1.\nTo fix: keep one of the two.",
        ),
        ("version =", ":1: not valid TOML: invalid value."),
        ("# nothing\n", ": the file is empty.\nTo fix: write at least `version: 1` and `name:`."),
    ],
    ids=["open-text", "twice", "no-value", "empty"],
)
def test_toml_that_is_none(tmp_path, text, message):
    """What is wrong with a TOML file is told with its line."""
    with pytest.raises(ScenarioError) as caught:
        load(tmp_path, text, "scenario.toml")
    assert str(caught.value) == f"{tmp_path / 'scenario.toml'}{message}"


@pytest.mark.parametrize("percent", ["0", "101", "most"])
def test_a_warning_threshold_is_a_percentage(tmp_path, percent):
    """A threshold that would never warn, or always, is refused."""
    text = TEXT.replace("load:", f"budget: {{max_cost_per_day: 1, warn_threshold_percent: {percent}}}\nload:")
    with pytest.raises(ScenarioError, match=rf"`budget.warn_threshold_percent`: `{percent}` is not a number"):
        load(tmp_path, text)


def test_a_time_in_seconds_may_be_a_plain_number(tmp_path):
    """Keys that name their unit take numbers, and numbers in quotes; others want a unit."""
    text = TEXT.replace("chain: {", 'chain: {circuit_breaker: {cooldown_secs: "30"}, retry: {base_delay: 0.5}, ')
    chain = load(tmp_path, text).chain
    assert (chain.circuit_breaker.cooldown_secs, chain.retry.base_delay) == (30.0, 0.5)
