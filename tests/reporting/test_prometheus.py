"""Metrics for Prometheus: what is counted of live chains and of simulated ones, under which names."""

import ast
import builtins
from importlib import import_module
from pathlib import Path

import pytest
from openai import OpenAI
from prometheus_client import CollectorRegistry, generate_latest

from llmtest import (
    BudgetConfig,
    CachedProvider,
    CircuitBreakerConfig,
    FallbackChain,
    LLMClient,
    PrometheusMetrics,
    Simulation,
    errors,
    faults,
)
from llmtest.clock import active_clock
from llmtest.events import EVENTS, AttemptEnded, HealthAlert, HealthChanged, HealthProbed, HealthSkipped
from llmtest.types import Attempt, Usage
from tests.event_samples import HISTORY
from tests.resilience.scripted_provider import REQUEST, ScriptedProvider, down


@pytest.fixture
def registry():
    """Return a registry without anything of the process."""
    return CollectorRegistry()


def value(registry, name, **labels):
    """Return what a series says."""
    return registry.get_sample_value(f"llmtest_llm_{name}", labels)


def fails_then_falls_back(sim):
    """Ask a chain whose primary fails twice and opens its circuit, so that the second provider answers."""
    sim.openai.fails(faults.ServerError(503), times=2)
    sim.anthropic.replies("Paris", "Rome")
    providers = [sim.openai.as_provider("gpt-4o"), sim.anthropic.as_provider("claude-opus-5")]
    circuit = CircuitBreakerConfig(failure_threshold=1)
    client = LLMClient(FallbackChain(providers, retry=None, circuit_breaker=circuit, name="chain"))
    return [client.ask("Capital of France?"), client.ask("Capital of Italy?")]


def test_f161_requests_tokens_errors_and_durations_have_caxton_s_labels(registry):
    """The four metrics of Caxton's document under our prefix, with the labels that it gives them."""
    with Simulation(strict=False) as sim, PrometheusMetrics(registry):
        sim.anthropic.latency(total=2.0)
        assert fails_then_falls_back(sim) == ["Paris", "Rome"]
    assert value(registry, "requests_total", provider="openai", status="error") == 1
    assert value(registry, "requests_total", provider="anthropic", status="success") == 2
    assert value(registry, "errors_total", provider="openai", error_type="503") == 1
    assert value(registry, "token_usage_total", provider="anthropic", type="input") > 0
    assert value(registry, "token_usage_total", provider="anthropic", type="output") > 0
    took = {"provider": "anthropic", "model": "claude-opus-5"}
    assert value(registry, "request_duration_seconds_count", **took) == 2
    assert value(registry, "request_duration_seconds_sum", **took) == pytest.approx(4.0)


def test_decisions_are_counted(registry):
    """Fallbacks, circuits, calls that passed a provider by: by the words that the trace has for them."""
    with Simulation(strict=False) as sim, PrometheusMetrics(registry):
        fails_then_falls_back(sim)
    moved = {"from_provider": "openai", "to_provider": "anthropic"}
    assert value(registry, "fallbacks_total", **moved, cause="503") == 1
    assert value(registry, "fallbacks_total", **moved, cause="circuit_open") == 1
    assert value(registry, "circuit_skips_total", provider="openai") == 1
    assert value(registry, "circuit_state", provider="openai", state="open") == 1
    assert value(registry, "circuit_state", provider="openai", state="closed") == 0
    assert value(registry, "circuit_changes_total", provider="openai", state="open") == 1
    assert value(registry, "calls_total", outcome="ok") == 2


def test_money_is_what_the_attempts_cost(registry):
    """The sum of the costs is that of the simulation; a price that nobody knows is counted and adds nothing."""
    with Simulation() as sim, PrometheusMetrics(registry):
        sim.openai.echoes()
        LLMClient(sim.openai.as_provider("gpt-4o")).ask("Capital of France?")
        spent = sim.costs.total_usd
        LLMClient(sim.openai.as_provider("nobody-knows")).ask("Capital of France?")
    assert value(registry, "cost_usd_total", provider="openai", model="gpt-4o") == pytest.approx(float(spent))
    assert value(registry, "unpriced_requests_total", provider="openai", model="nobody-knows") == 1
    assert value(registry, "cost_usd_total", provider="openai", model="nobody-knows") is None


@pytest.mark.parametrize("mode", ["complete", "stream"])
def test_a_live_chain_is_counted_in_real_time(registry, mode):
    """Without any simulation: what a chain does in production is counted as well."""
    chain = FallbackChain([ScriptedProvider("a", down()), ScriptedProvider("b", "Paris", model="n")], retry=None)
    with PrometheusMetrics(registry):
        if mode == "complete":
            chain.complete(REQUEST)
        else:
            assert list(chain.stream(REQUEST))
    assert value(registry, "requests_total", provider="a", status="error") == 1
    assert value(registry, "requests_total", provider="b", status="success") == 1
    assert value(registry, "token_usage_total", provider="b", type="input") == 10
    streamed = 1 if mode == "stream" else 0
    assert value(registry, "time_to_first_token_seconds_count") == streamed
    assert value(registry, "call_duration_seconds_count") == 1


def test_requests_of_other_clients_are_counted_by_what_providers_saw(registry):
    """With `view="requests"` a test of code on an official SDK has the same metrics."""
    with Simulation() as sim:
        sim.openai.fails(faults.RateLimited(retry_after=1)).replies("Paris")
        OpenAI(api_key="k").chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "Hi"}])
        PrometheusMetrics(registry, view="requests").read(sim.trace)
    assert value(registry, "requests_total", provider="openai", status="error") == 1
    assert value(registry, "requests_total", provider="openai", status="success") == 1
    assert value(registry, "errors_total", provider="openai", error_type="429") == 1
    assert value(registry, "cost_usd_total", provider="openai", model="gpt-4o") > 0


def test_a_view_that_would_hear_nothing_is_not_started(registry):
    """What providers saw is in the trace alone, and the advice reads it."""
    with pytest.raises(errors.ConfigurationError, match=r'(?s)To fix: .*PrometheusMetrics\(view="requests"\).read'):
        PrometheusMetrics(registry, view="requests").start()


def test_cache_hits_and_refused_budgets_are_counted(registry):
    """A hit is no request; a call that a budget refuses is none either."""
    with Simulation() as sim, PrometheusMetrics(registry):
        sim.openai.echoes()
        cached = LLMClient(CachedProvider(sim.openai.as_provider("gpt-4o")))
        assert cached.ask("Hi") == cached.ask("Hi")
        poor = FallbackChain([sim.openai.as_provider("gpt-4o")], budget=BudgetConfig(max_tokens_per_session=1))
        with pytest.raises(errors.BudgetExceededError):
            LLMClient(poor).ask("Capital of France?")
    assert value(registry, "cache_hits_total", provider="openai") == 1
    assert value(registry, "requests_total", provider="openai", status="success") == 1
    assert value(registry, "budget_rejections_total", scope="session") == 1


def test_health_and_alerts_are_shown(registry):
    """Who is ill, who was passed by, and which alerts hold until they are over."""
    metrics = PrometheusMetrics(registry)
    metrics.observe(HealthChanged(1, 0, "a", "m", "healthy", "unhealthy", "probe", 3, "503"))
    metrics.observe(HealthAlert(1, 0, "a", "m", "downtime", True))
    metrics.observe(HealthSkipped(2, 1, "a", "m", 1.0))
    metrics.observe(HealthProbed(2, 2, "a", "m", "call", "failure", "503"))
    ill = {"provider": "a", "model": "m"}
    assert value(registry, "health_state", **ill, state="unhealthy") == 1
    assert value(registry, "health_state", **ill, state="healthy") == 0
    assert value(registry, "alert_active", **ill, alert="downtime") == 1
    assert value(registry, "health_skips_total", provider="a") == 1
    assert value(registry, "probes_total", provider="a", told="failure") == 1
    metrics.observe(HealthAlert(9, 0, "a", "m", "downtime", False))
    assert value(registry, "alert_active", **ill, alert="downtime") == 0


def test_every_event_there_is_can_be_heard(registry):
    """What an event holds, names that are missing among it, never breaks the call that it tells of."""
    PrometheusMetrics(registry).read(HISTORY)
    assert value(registry, "store_failures_total", store="breaker", operation="admit") > 0
    assert {type(event) for event in HISTORY} == set(EVENTS)


def test_a_trace_that_is_over_is_read_to_the_same_numbers(registry):
    """What was heard while it happened and what is read of the trace are the same text."""
    later = CollectorRegistry()
    with Simulation(strict=False) as sim, PrometheusMetrics(registry):
        fails_then_falls_back(sim)
        PrometheusMetrics(later).read(sim.trace)

    def told(source):
        return [line for line in generate_latest(source).decode().splitlines() if "_created" not in line]

    assert told(later) == told(registry)


def test_it_hears_from_start_to_stop(registry):
    """A second start counts nothing twice, and nothing is counted after the stop."""
    metrics = PrometheusMetrics(registry).start().start()
    client = LLMClient(ScriptedProvider("a"))
    client.ask("Hi")
    metrics.stop()
    client.ask("Hi")
    metrics.stop()
    assert value(registry, "requests_total", provider="a", status="success") == 1


def test_counts_that_cannot_be_do_no_harm(registry):
    """A provider that says it has used less than nothing ends no call with an error of the metrics."""
    usage = Usage(-5, 3)
    now_ns = active_clock().now_ns()
    PrometheusMetrics(registry).observe(AttemptEnded(now_ns, 1, Attempt("a", None, now_ns, now_ns, "200", usage)))
    assert value(registry, "token_usage_total", provider="a", type="input") == 0
    assert value(registry, "request_duration_seconds_count", provider="a", model="") == 1


def test_two_for_one_registry_are_refused(registry):
    """Two that count in one registry would count everything twice."""
    PrometheusMetrics(registry)
    with pytest.raises(errors.ConfigurationError, match=r"(?s)Duplicated timeseries.*To fix: keep one"):
        PrometheusMetrics(registry)


def test_a_view_that_is_none_is_refused(registry):
    """The words are named."""
    with pytest.raises(errors.ConfigurationError, match="view is `attempts` or `requests`, got 'calls'"):
        PrometheusMetrics(registry, view="calls")


def test_without_the_library_it_says_what_to_install(monkeypatch):
    """The extra is named."""
    real = builtins.__import__

    def missing(name, *args, **kwargs):
        if name == "prometheus_client":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(errors.ConfigurationError, match=r"(?s)not installed.*pip install -e '\.\[metrics\]'"):
        PrometheusMetrics()


def test_neither_library_is_imported_before_it_is_used():
    """The classes can be imported, and a chain asked, where Prometheus or OpenTelemetry are not installed."""
    for home in ("_event_listener", "_prometheus", "_span_export", "_span_facts", "_spans"):
        source = Path(import_module(f"llmtest.reporting.{home}").__file__).read_text()
        needed = [node for node in ast.parse(source).body if isinstance(node, ast.Import | ast.ImportFrom)]
        modules = {getattr(node, "module", None) or node.names[0].name for node in needed}
        assert not {module.split(".")[0] for module in modules} & {"prometheus_client", "opentelemetry"}, home
