"""A chain inside the chain of a scenario: its providers answer, and its policies are its own."""

import pytest

from llmtest.errors import ScenarioError
from llmtest.scenarios import load_scenario, run_scenario

NESTED = """\
version: 1
name: nested
providers:
  openai: {model: gpt-4o}
  anthropic: {model: claude-sonnet-4-5}
  ollama: {model: llama3.2}
chain:
  circuit_breaker: null
  providers:
    - name: clouds
      chain:
        retry: {max_attempts: 2, base_delay: 1s, jitter: false}
        providers: [{provider: openai}, {provider: anthropic}]
    - {provider: ollama}
load: {rate: 1/s, arrivals: constant, duration: 10s}
faults:
  - {name: outage, where: {provider: openai}, what: {server_error: {status: 503}}}
  - {name: later, where: {provider: anthropic}, at: 5s, what: {server_error: {status: 503}}, optional: true}
expect: {availability: "100%", breaker.openai: [closed, open]}
"""


def load(tmp_path, text):
    """Load a scenario of this text."""
    path = tmp_path / "nested.yaml"
    path.write_text(text)
    return load_scenario(path)


def test_a_chain_inside_a_chain_answers(tmp_path):
    """The inner chain retries and falls back by its own rules; when all of it fails, the outer one goes on."""
    result = run_scenario(load(tmp_path, NESTED))
    assert result.ok, result.expectations
    assert result.served_by["anthropic"] > 0
    assert result.served_by["ollama"] > 0
    assert result.served_by["openai"] == 0
    assert result.retries > 0


def test_a_provider_inside_is_looked_up(tmp_path):
    """The place of a wrong name is told, as deep as it is."""
    with pytest.raises(
        ScenarioError, match=r"nested\.yaml:13: `chain\.providers\[0\]\.chain\.providers\[0\]\.provider`"
    ):
        load(tmp_path, NESTED.replace("[{provider: openai}", "[{provider: opneai}"))


def test_circuits_that_are_off_everywhere_cannot_be_judged(tmp_path):
    """An inner chain has circuits of its own, so only where it has none either is there nothing to look at."""
    without = NESTED.replace("retry: {max_attempts: 2", "circuit_breaker: null\n        retry: {max_attempts: 2")
    with pytest.raises(ScenarioError, match="the chain's circuit breakers are switched off"):
        load(tmp_path, without)
