"""What operators see, metrics, spans, log records and descriptions, has neither keys nor prompts nor answers."""

import logging

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import CollectorRegistry, generate_latest

from llmtest import (
    CachedProvider,
    CompletionRequest,
    FallbackChain,
    Json,
    LLMClient,
    OpenAIProvider,
    OpenTelemetrySpans,
    PrometheusMetrics,
    Reply,
    Simulation,
    SmartRoutingProvider,
    errors,
    export_spans,
    faults,
)

KEY, PROMPT, ANSWER = "sk-planted-key-1234567890", "planted prompt", "i'm not sure about this planted answer"


def session(sim):
    """Meet what a session can: refused keys that are repeated, a cascade, a broken stream, a cache."""
    body = {"error": {"message": f"Incorrect API key provided: {KEY} for `{PROMPT}`", "code": "invalid_api_key"}}
    sim.openai.when(model="gpt-4o").replies(Json(body, status=401), times=None)
    sim.openai.when(model="gpt-4o-mini").replies(ANSWER, times=None)
    sim.anthropic.when(model="claude-opus-5").replies(Reply(ANSWER, fault=faults.StreamDropped(1)), optional=True)
    sim.anthropic.replies(ANSWER, times=None, optional=True)
    refused = OpenAIProvider(api_key=KEY, model="gpt-4o")
    cheap = OpenAIProvider(api_key=f"{KEY}-2", model="gpt-4o-mini")
    spare = sim.anthropic.as_provider("claude-haiku-4-5")
    chain = FallbackChain([refused, spare], name="front")
    LLMClient(chain).ask(PROMPT)
    LLMClient(SmartRoutingProvider(spare, cheap)).ask(PROMPT)
    LLMClient(CachedProvider(spare)).ask(PROMPT)
    with pytest.raises(errors.LLMTestError):
        list(FallbackChain([sim.anthropic.as_provider("claude-opus-5")], retry=None).stream(ask()))
    return chain


def ask():
    """Return a request that says what nobody is to see."""
    return CompletionRequest.ask(PROMPT)


def test_neither_key_nor_prompt_nor_answer_is_told_anywhere(caplog):
    """A key, a prompt and an answer that are planted are in none of the four, in which there is something."""
    caplog.set_level(logging.DEBUG)
    registry, kept, provider = CollectorRegistry(), InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    with Simulation(strict=False) as sim, PrometheusMetrics(registry), OpenTelemetrySpans(provider):
        chain = session(sim)
        export_spans(sim, provider)
        export_spans(sim, provider, view="requests")
        PrometheusMetrics(CollectorRegistry(), view="requests").read(sim.trace)
    spans = [span.to_json() for span in kept.get_finished_spans()]
    records = [
        f"{record.getMessage()} {vars(record)}" for record in caplog.records if record.name.startswith("llmtest")
    ]
    metrics = generate_latest(registry).decode()
    assert 'error_type="401"' in metrics
    told = "\n".join(spans)
    for event in ("llmtest.cascade", "llmtest.key_refused", "llmtest.fallback"):
        assert event in told
    assert records
    for text in (metrics, told, *records, str(chain.describe()), repr(chain.describe().as_dict())):
        assert "planted" not in text.lower()
