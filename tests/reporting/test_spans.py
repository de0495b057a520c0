"""Spans for OpenTelemetry: live chains and simulated sessions, told by the conventions for generative AI."""

import asyncio
import builtins
import random
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from openai import OpenAI
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.semconv._incubating.attributes import gen_ai_attributes as words
from opentelemetry.trace import SpanKind, StatusCode

from llmtest import (
    BudgetConfig,
    CachedProvider,
    CircuitBreakerConfig,
    FallbackChain,
    LLMClient,
    OpenTelemetrySpans,
    RetryConfig,
    Simulation,
    errors,
    export_spans,
    faults,
)
from llmtest.events import EVENTS, CallStarted, Trace
from llmtest.reporting._spans import DECISIONS
from llmtest.wire import dialects
from tests.event_samples import HISTORY
from tests.resilience.scripted_provider import MODES, REQUEST, ScriptedProvider, World, ask, down, refused_key


class Spans:
    """A tracer provider, and what it has exported."""

    def __init__(self):
        self.provider = TracerProvider()
        self._kept = InMemorySpanExporter()
        self.provider.add_span_processor(SimpleSpanProcessor(self._kept))

    @property
    def all(self):
        """Every span that has ended."""
        return self._kept.get_finished_spans()

    def named(self, start):
        """Those whose names begin so, in the order in which they began."""
        return sorted((span for span in self.all if span.name.startswith(start)), key=lambda span: span.start_time)


@pytest.fixture
def spans():
    """Return where spans go."""
    return Spans()


def seconds(span):
    """Return how long a span took."""
    return (span.end_time - span.start_time) / 1e9


QUICK = RetryConfig(max_attempts=3, base_delay=1.0, jitter=False)


@pytest.mark.parametrize("mode", MODES)
def test_a_fallback_is_a_call_with_a_span_for_each_provider(spans, mode):
    """The turn of each provider is inside the call, with the attributes that the conventions name."""
    chain = FallbackChain(
        [ScriptedProvider("openai", down(), model="gpt-4o"), ScriptedProvider("b", "Paris", model="n")], retry=None
    )
    with OpenTelemetrySpans(spans.provider):
        World().ask(chain, mode)
    (call,) = spans.named("call")
    failed, answered = spans.named("chat")
    assert (call.name, call.kind, call.status.status_code) == (
        "call fallback-chain",
        SpanKind.INTERNAL,
        StatusCode.UNSET,
    )
    assert call.attributes["llmtest.provider"] == "b"
    assert (failed.name, failed.kind, failed.parent.span_id) == (
        "chat gpt-4o",
        SpanKind.CLIENT,
        call.context.span_id,
    )
    assert failed.attributes["error.type"] == "503"
    assert failed.attributes[words.GEN_AI_PROVIDER_NAME] == "openai"
    assert (failed.status.status_code, failed.status.description) == (StatusCode.ERROR, None)
    assert answered.attributes[words.GEN_AI_OPERATION_NAME] == "chat"
    assert answered.attributes[words.GEN_AI_REQUEST_MODEL] == "n"
    assert answered.attributes[words.GEN_AI_USAGE_INPUT_TOKENS] == 10
    assert answered.attributes[words.GEN_AI_USAGE_OUTPUT_TOKENS] == 2
    assert "error.type" not in answered.attributes
    assert [event.name for event in call.events] == ["llmtest.fallback"]
    assert call.events[0].attributes["llmtest.to_provider"] == "b"
    assert ("llmtest.time_to_first_token" in call.attributes) is mode.startswith("stream")


def test_a_request_and_its_retries_are_one_span(spans):
    """The conventions have a span cover the operation with all its retries; waits are in it, and told as events."""
    chain = FallbackChain([ScriptedProvider("a", down(), down(), "Paris")], retry=QUICK)
    with OpenTelemetrySpans(spans.provider):
        World().ask(chain)
    (turn,) = spans.named("chat")
    assert (seconds(turn), turn.attributes["llmtest.attempts"]) == (3.0, 3)
    assert [event.attributes["llmtest.delay"] for event in turn.events] == [1.0, 2.0]
    assert (turn.attributes["llmtest.outcome"], turn.status.status_code) == ("200", StatusCode.UNSET)
    assert spans.named("call")[0].events == ()


def test_a_call_that_fails_says_with_what(spans):
    """The class of the error is its type; its text is nowhere."""
    with OpenTelemetrySpans(spans.provider):
        World().fail(FallbackChain([ScriptedProvider("a", refused_key())], retry=None))
    (call,) = spans.named("call")
    assert (call.status.status_code, call.attributes["error.type"]) == (StatusCode.ERROR, "AuthenticationError")
    assert spans.named("chat")[0].attributes["error.type"] == "401"


def test_a_span_is_inside_the_one_that_is_current(spans):
    """A live call belongs to the span of the application that makes it, in threads and on event loops."""
    tracer = spans.provider.get_tracer("app")
    chain = FallbackChain([ScriptedProvider("a")])

    async def handle(name):
        with tracer.start_as_current_span(name):
            return await ask(chain, "complete_async")

    async def both():
        await asyncio.gather(handle("one"), handle("two"))

    with OpenTelemetrySpans(spans.provider):
        with tracer.start_as_current_span("blocking"):
            chain.complete(REQUEST)
        asyncio.run(both())
    owners = {span.context.span_id: span.name for span in spans.all}
    assert sorted(owners[call.parent.span_id] for call in spans.named("call")) == ["blocking", "one", "two"]
    assert all(owners[turn.parent.span_id] == "call fallback-chain" for turn in spans.named("chat"))


def test_calls_of_a_simulation_have_its_dates(spans):
    """A span of a simulated session begins and ends when it does in the session's own time."""
    with Simulation(start="2026-03-01T12:00:00") as sim, OpenTelemetrySpans(spans.provider):
        sim.openai.latency(total=2.0).replies("Paris")
        sim.clock.advance(60)
        LLMClient(FallbackChain([sim.openai.as_provider("gpt-4o")])).ask("Hi")
    (turn,) = spans.named("chat")
    assert datetime.fromtimestamp(turn.start_time / 1e9, UTC) == datetime(2026, 3, 1, 12, 1, tzinfo=UTC)
    assert seconds(turn) == 2.0
    assert turn.attributes["llmtest.cost_usd"] > 0


def test_a_session_that_is_over_is_exported_in_one_line(spans):
    """What was heard while it happened, and what is made of the trace afterwards, are the same spans."""

    def told(of):
        return [(s.name, s.start_time, s.end_time, dict(s.attributes), [e.name for e in s.events]) for s in of.all]

    later = Spans()
    with Simulation() as sim, OpenTelemetrySpans(spans.provider):
        sim.openai.fails(faults.ServerError(503), times=2)
        sim.anthropic.replies("Paris")
        providers = [sim.openai.as_provider("gpt-4o"), sim.anthropic.as_provider("claude-opus-5")]
        LLMClient(FallbackChain(providers, retry=RetryConfig(max_attempts=2))).ask("Hi")
        assert export_spans(sim, later.provider) == 3
    assert told(later) == told(spans)


def test_code_on_an_official_sdk_is_exported_as_its_providers_saw_it(spans):
    """Each request is a span, inside the marked call; the fault that struck is told."""
    with Simulation(start="2026-03-01T12:00:00") as sim:
        sim.openai.fails(faults.RateLimited(retry_after=3)).replies("Paris")
        with sim.call("question"):
            stream = OpenAI(api_key="k").chat.completions.create(
                model="gpt-4o", messages=[{"role": "user", "content": "Hi"}], stream=True
            )
            assert list(stream)
    assert export_spans(sim, spans.provider) == 3
    (call,) = spans.named("call")
    refused, answered = spans.named("chat")
    assert call.name == "call question"
    assert (refused.attributes["error.type"], refused.attributes["llmtest.fault"]) == ("429", "rate_limited")
    assert answered.attributes[words.GEN_AI_REQUEST_STREAM] is True
    assert answered.parent.span_id == call.context.span_id
    assert (answered.start_time - refused.start_time) / 1e9 >= 3
    assert datetime.fromtimestamp(refused.start_time / 1e9, UTC).year == 2026


def test_events_alone_are_exported_too(spans):
    """A trace without its simulation begins in 1970, or when one says; what has not ended ends with the last event."""
    trace = Trace()
    trace.append(CallStarted(5_000_000_000, 1, "left"))
    assert export_spans(trace, spans.provider, start=datetime(2026, 1, 1, tzinfo=UTC)) == 1
    assert export_spans(trace, spans.provider) == 1
    dated, undated = sorted(spans.all, key=lambda span: -span.start_time)
    assert dated.attributes["llmtest.outcome"] == "unfinished"
    assert datetime.fromtimestamp(dated.start_time / 1e9, UTC) == datetime(2026, 1, 1, 0, 0, 5, tzinfo=UTC)
    assert undated.start_time == 5_000_000_000


def test_decisions_are_events_with_their_facts(spans):
    """Circuits, the cache and budgets are told inside the call that met them."""
    with Simulation() as sim, OpenTelemetrySpans(spans.provider):
        sim.openai.fails(faults.ServerError(503)).replies("Paris", times=None)
        provider = sim.openai.as_provider("gpt-4o")
        circuit = CircuitBreakerConfig(failure_threshold=1, recovery_timeout=5)
        chain = FallbackChain([provider], retry=None, circuit_breaker=circuit, name="guarded")
        for _ in range(2):
            with pytest.raises(errors.LLMTestError):
                LLMClient(chain).ask("Hi")
        cached = LLMClient(CachedProvider(provider))
        assert cached.ask("Hi") == cached.ask("Hi")
        with pytest.raises(errors.BudgetExceededError):
            LLMClient(FallbackChain([provider], budget=BudgetConfig(max_tokens_per_session=1))).ask("Hi")
    told = [(event.name, dict(event.attributes)) for call in spans.named("call") for event in call.events]
    assert [name for name, _ in told] == [
        "llmtest.breaker",
        "llmtest.circuit_open",
        "llmtest.cache_hit",
        "llmtest.budget_rejected",
    ]
    assert told[0][1]["llmtest.to_state"] == "open"
    assert told[3][1]["llmtest.scope"] == "session"


NO_DECISIONS = {
    "CallStarted",
    "CallEnded",
    "AttemptEnded",
    "RequestReceived",
    "RequestAnswered",
    "BreakerWatched",
    "HealthProbed",
    "LiveRequestPassed",
    "RealIoObserved",
    "RealTimePassed",
    "TelemetryKept",
    "HarnessErrorRecorded",
}
"""What a span is made of, and what is about a test alone, or about no call."""


def test_every_event_there_is_can_be_told(spans):
    """An event that is added is a decision, or said to be none; whatever it holds can be an attribute."""
    assert {cls.__name__ for cls in EVENTS} - {cls.__name__ for cls in DECISIONS} == NO_DECISIONS
    events = [event for event in HISTORY if type(event) in DECISIONS]
    export_spans([CallStarted(0, 1, "all"), *(replace(event, call=1) for event in events)], spans.provider)
    (call,) = spans.named("call")
    assert [event.name for event in call.events] == [f"llmtest.{event.kind}" for event in events]
    assert all(event.attributes for event in call.events)


def test_providers_have_the_names_of_the_conventions():
    """A well-known value MUST be used where one applies; who has none keeps its own name."""
    known = {value.value for value in words.GenAiProviderNameValues}
    told = {name: dialect.telemetry_name for name, dialect in dialects().items() if dialect.telemetry_name}
    assert len(told) == 6
    assert set(told.values()) <= known
    own = set(dialects()) - set(told)
    assert own & known == {"openai", "anthropic", "cohere", "perplexity", "deepseek", "groq"}


def test_the_words_are_those_of_the_conventions(spans):
    """Every `gen_ai.*` attribute of a span is one of the registry, as far as the installed list has them."""
    with Simulation() as sim, OpenTelemetrySpans(spans.provider):
        sim.gemini.replies("Paris")
        LLMClient(sim.gemini.as_provider("gemini-2.5-flash")).ask("Hi")
    known = {value for name, value in vars(words).items() if name.startswith("GEN_AI_")}
    (turn,) = spans.named("chat")
    told = {name for name in turn.attributes if name.startswith("gen_ai.")}
    assert told == {
        words.GEN_AI_OPERATION_NAME,
        words.GEN_AI_PROVIDER_NAME,
        words.GEN_AI_REQUEST_MODEL,
        words.GEN_AI_USAGE_INPUT_TOKENS,
        words.GEN_AI_USAGE_OUTPUT_TOKENS,
    }
    assert told <= known
    assert turn.attributes[words.GEN_AI_PROVIDER_NAME] == "gcp.gemini"


def test_spans_shift_nobody_s_draws(spans):
    """What the code under test draws at random is the same whether or not it is observed; ids are others each time."""

    def drawn(*, observed):
        with Simulation(seed=3) as sim:
            listener = OpenTelemetrySpans(spans.provider)
            if observed:
                listener.start()
            sim.openai.replies("Paris")
            LLMClient(FallbackChain([sim.openai.as_provider("gpt-4o")])).ask("Hi")
            listener.stop()
            return random.random()

    assert drawn(observed=True) == drawn(observed=False) == drawn(observed=True)
    traces = {span.context.trace_id for span in spans.all}
    assert len(traces) == 2


def test_calls_under_way_end_with_the_listening(spans):
    """A stream that is still read when an application stops to listen is a span that says so."""
    chain = FallbackChain([ScriptedProvider("a", "one two three")])
    listener = OpenTelemetrySpans(spans.provider).start()
    stream = chain.stream(REQUEST)
    next(stream)
    listener.stop()
    stream.close()
    (call,) = spans.named("call")
    assert call.attributes["llmtest.outcome"] == "unfinished"
    assert len(spans.all) == 1


def test_without_the_library_it_says_what_to_install(monkeypatch):
    """The extra is named."""
    real = builtins.__import__

    def missing(name, *args, **kwargs):
        if name == "opentelemetry":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(errors.ConfigurationError, match=r"(?s)not installed.*pip install -e '\.\[otel\]'"):
        OpenTelemetrySpans()
