"""Health on real clients of simulated providers: whatever an API answers, on the wire, in both worlds."""

import re

import pytest

from llmtest import (
    AnthropicProvider,
    Budget,
    CompletionRequest,
    CostLedger,
    FallbackChain,
    HealthConfig,
    LLMClient,
    OpenAIProvider,
    Reply,
    faults,
)
from llmtest.events import HealthChanged, HealthProbed, RequestAnswered
from llmtest.scenarios import load_scenario, run_scenario

ONE = HealthConfig(failure_threshold=1, recovery_threshold=1)


@pytest.mark.parametrize(
    ("fault", "state"),
    [
        (faults.InvalidRequest(), "unhealthy"),
        (faults.AuthenticationFailed(), "unhealthy"),
        (faults.ModelNotFound(), "unhealthy"),
        (faults.ServerError(500), "unhealthy"),
        (faults.Overloaded(), "unhealthy"),
        (faults.QuotaExceeded(), "unhealthy"),
        (faults.MalformedBody(), "unhealthy"),
        (faults.Timeout(), "unhealthy"),
        (faults.RateLimited(retry_after=30), "healthy"),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, str) else value,
)
def test_h01_what_an_api_answers_a_probe_with(llm_sim, fault, state):
    """Of every refusal calls would get too a provider is ill, of a full quota not."""
    llm_sim.openai.fails(fault)
    chain = FallbackChain([OpenAIProvider("sk-1", model="gpt-4o")], health=ONE)
    (found,) = chain.health.check()
    assert found.state == state
    (probed,) = llm_sim.trace.of(HealthProbed)
    assert probed.told == ("nothing" if state == "healthy" else "failure")
    assert llm_sim.assert_resilient().findings == {}  # nobody waits for a probe, so nobody gave up


@pytest.mark.parametrize("fault", [faults.MalformedBody(), faults.Timeout()], ids=["unreadable", "too-late"])
def test_u04_a_probe_that_failed_and_was_billed_is_charged(llm_sim, fault):
    """What the provider bills for a probe is in the ledger, whatever came of it, and tagged."""
    llm_sim.openai.fails(fault)
    ledger = CostLedger()
    budget = Budget(ledger=ledger)
    chain = FallbackChain([OpenAIProvider("sk-1", model="gpt-4o")], health=ONE, budget=budget)
    chain.health.check()
    assert [entry.purpose for entry in ledger.entries] == ["health"]
    assert ledger.total_usd >= llm_sim.costs.total_usd > 0


def test_h01_a_thinking_model_with_one_token_is_well(llm_sim):
    """A model whose whole limit went into thoughts has answered: the empty text is the probe's doing."""
    llm_sim.openai.replies(Reply("", finish_reason="length"))
    chain = FallbackChain(
        [OpenAIProvider("sk-1", model="gpt-5")], health=HealthConfig(max_tokens=1, failure_threshold=1)
    )
    (found,) = chain.health.check()
    assert found.state == "healthy"
    assert llm_sim.openai.requests[0].request.max_tokens == 1


def test_the_list_of_models_costs_nothing(llm_sim):
    """A provider that is well is asked for its models; nothing is billed and no step is taken."""
    chain = FallbackChain([AnthropicProvider("sk-1", model="claude-opus-5")], health=HealthConfig(ask="models"))
    (found,) = chain.health.check()
    assert (found.state, llm_sim.costs.total_usd) == ("healthy", 0)
    assert [each.path for each in llm_sim.anthropic.requests] == ["/v1/models"]


def test_half_an_hour_of_outage_is_found_and_its_end_too(llm_sim):
    """Blocking calls with pauses find an outage and its end, and every one of them is answered."""
    llm_sim.openai.replies("Paris", times=20).fails(faults.ServerError(503), for_="30m").replies("Paris", times=None)
    llm_sim.anthropic.replies("Paris", times=None)
    providers = [OpenAIProvider("sk-1", model="gpt-4o"), AnthropicProvider("sk-2", model="claude-opus-5")]
    chain = FallbackChain(providers, health=HealthConfig(), retry=None, circuit_breaker=None)
    client, answered = LLMClient(chain), []
    for _ in range(120):
        answered.append(client.complete(CompletionRequest.ask("hi")).provider)
        llm_sim.clock.sleep(30)
    ill, well = [each for each in llm_sim.trace.of(HealthChanged) if each.provider == "openai"]
    assert (ill.to_state, ill.source, well.to_state, well.source) == ("unhealthy", "call", "healthy", "probe")
    assert 1800 <= well.at - ill.at <= 1800 + 120
    assert re.fullmatch("o{20}a{60,64}o{36,40}", "".join(name[0] for name in answered))
    struck = [each for each in llm_sim.trace.of(RequestAnswered) if each.outcome == "503"]
    assert len(struck) == 2 + 29  # two calls, and a probe in each of the next minutes
    assert chain.health.report()[0].state == "healthy"
    llm_sim.assert_resilient()


SCENARIO = """\
version: 1
name: watched
providers:
  openai: {model: gpt-4o}
  anthropic: {model: claude-opus-5}
chain:
  retry: null
  circuit_breaker: null
  health: {interval: 30s, passive: false, failure_threshold: 1, recovery_threshold: 1}
  providers: [{provider: openai}, {provider: anthropic}]
load: {rate: 1/min, arrivals: constant, duration: 20m}
faults:
  - {name: outage, where: {provider: openai}, at: 5m, for: 5m, what: {server_error: {status: 503}}}
expect: {availability: "100%", calls: 20, verdict: clean}
"""


def test_a_scenario_counts_calls_and_not_probes(tmp_path):
    """Probes of a scenario's chain are requests that are paid for, and neither calls nor anybody's failures."""
    path = tmp_path / "watched.yaml"
    path.write_text(SCENARIO)
    result = run_scenario(load_scenario(path))
    assert result.ok, result.expectations
    assert result.calls == 20
    assert result.served_by["openai"] + result.served_by["anthropic"] == 20
    assert result.fallbacks <= 1
    assert result.attempts > 80
    assert run_scenario(load_scenario(path)).digest == result.digest
