"""Metrics for Prometheus, counted from events: in production from what happens, in a test in virtual time."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any, get_args

from llmtest.errors import ConfigurationError
from llmtest.events import (
    AttemptEnded,
    BreakerChanged,
    BreakerState,
    BudgetRejected,
    CacheHit,
    CallEnded,
    CircuitSkipped,
    Event,
    FallbackTaken,
    HealthAlert,
    HealthChanged,
    HealthProbed,
    HealthSkipped,
    HealthState,
    HedgeSent,
    KeyRefused,
    LimitRefused,
    LimitWaited,
    RequestAnswered,
    RetryScheduled,
    StoreFailed,
)
from llmtest.reporting._event_listener import EventListener, View, checked_view
from llmtest.reporting._span_facts import GIVEN_UP, is_failure
from llmtest.types import Usage

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

__all__ = ["PrometheusMetrics"]

PREFIX = "llmtest_llm_"
SECONDS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
"""Bounds of durations, as OpenTelemetry's conventions for generative AI have them."""
STATES: dict[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    "circuit_state": ("1 for the state that a circuit is in, 0 for the others.", ("provider",), get_args(BreakerState)),
    "health_state": ("1 for the health of a provider, 0 for the other.", ("provider", "model"), get_args(HealthState)),
}
"""What is in one of several states, from its first change on; its labels, and the states."""

COUNTERS: dict[str, tuple[str, tuple[str, ...]]] = {
    "requests": ("Requests by provider and status: `success`, `error` or `cancelled`.", ("provider", "status")),
    "errors": ("Failed requests by provider and outcome: a status, or a word.", ("provider", "error_type")),
    "token_usage": ("Tokens of prompts (`input`) and answers (`output`).", ("provider", "type")),
    "cached_tokens": ("Tokens of prompts that were read from the provider's cache.", ("provider",)),
    "cost_usd": ("What requests cost, in USD.", ("provider", "model")),
    "unpriced_requests": ("Requests that were billed at a price nobody knows.", ("provider", "model")),
    "calls": ("Calls as the application sees them, by outcome: `ok`, or the class of the error.", ("outcome",)),
    "retries": ("Requests sent again, by what had failed.", ("provider", "cause")),
    "fallbacks": ("Moves of calls from one provider to another.", ("from_provider", "to_provider", "cause")),
    "circuit_skips": ("Calls that passed a provider by because its circuit was open.", ("provider",)),
    "circuit_changes": ("Changes of circuits, by the state that they changed to.", ("provider", "state")),
    "probes": ("Questions whether a provider is well, by what they told.", ("provider", "told")),
    "health_skips": ("Calls that went to others first because a provider is ill.", ("provider",)),
    "cache_hits": ("Answers that came from the cache.", ("provider",)),
    "hedges": ("Requests sent beside a slow one.", ("chain",)),
    "limit_wait_seconds": ("Seconds that limits of our own held requests back.", ("provider", "limit")),
    "limit_refusals": ("Requests that limits of our own refused.", ("provider", "limit")),
    "budget_rejections": ("Calls that a budget refused.", ("scope",)),
    "store_failures": ("Times that state shared by processes could not be reached.", ("store", "operation")),
    "key_refusals": ("Keys that a provider refused.", ("provider",)),
}
"""What is counted, without prefix and `_total`; and its labels."""

TIMES: dict[str, tuple[str, tuple[str, ...]]] = {
    "request_duration": ("Seconds of a request, failed ones too.", ("provider", "model")),
    "call_duration": ("Seconds of a call, retries, fallbacks and waits included.", ()),
    "time_to_first_token": ("Seconds from the start of a streamed call to its first visible piece.", ()),
}
"""What is measured, without prefix and `_seconds`; and its labels."""


class PrometheusMetrics(EventListener):
    """Counts what happens, for Prometheus: requests, tokens, errors, money, circuits, fallbacks.

    Needs the extra `[metrics]`. Labels are names of providers, models and chains, states and outcomes: no key, no
    prompt, no text of an error. Durations are those of the clock that ran: virtual in a simulation.

    Args:
        registry: Where the metrics are registered; None: `prometheus_client.REGISTRY`, which is what an application
            usually exposes.
        view: `attempts` counts the requests that our own layer made, live ones and simulated ones; `requests` those
            that simulated providers saw, of any client, when a trace is `read`: for tests of code on other SDKs.

    Raises:
        ConfigurationError: `prometheus-client` is not installed, the registry has these metrics already, or the view
            is no word.

    Example:
        >>> from prometheus_client import CollectorRegistry
        >>> from llmtest import FallbackChain, LLMClient, PrometheusMetrics, Simulation
        >>> registry = CollectorRegistry()
        >>> with Simulation() as sim, PrometheusMetrics(registry):
        ...     _ = sim.openai.replies("Paris")
        ...     answer = LLMClient(FallbackChain([sim.openai.as_provider("gpt-4o")])).ask("Capital of France?")
        >>> registry.get_sample_value("llmtest_llm_requests_total", {"provider": "openai", "status": "success"})
        1.0
    """

    def __init__(self, registry: CollectorRegistry | None = None, *, view: View = "attempts") -> None:
        try:
            import prometheus_client as library
        except ImportError as error:
            raise ConfigurationError(
                "metrics need the package `prometheus-client`, which is not installed.\n\n"
                "To fix: pip install -e '.[metrics]', in a checkout of llmtest"
            ) from error
        self.view = checked_view("PrometheusMetrics", view)
        self.registry = registry = library.REGISTRY if registry is None else registry
        try:
            self._counters = {
                name: library.Counter(PREFIX + name, told, labels, registry=registry)
                for name, (told, labels) in COUNTERS.items()
            }
            self._times = {
                name: library.Histogram(f"{PREFIX}{name}_seconds", told, labels, registry=registry, buckets=SECONDS)
                for name, (told, labels) in TIMES.items()
            }
            self._states = {
                name: library.Gauge(PREFIX + name, told, (*labels, "state"), registry=registry)
                for name, (told, labels, _) in STATES.items()
            }
            self._alerts = library.Gauge(
                f"{PREFIX}alert_active", "1 while an alert holds.", ("provider", "model", "alert"), registry=registry
            )
        except ValueError as error:  # its text has the name of the metric
            raise ConfigurationError(
                f"this registry has metrics of these names already: {error}.\n"
                "To fix: keep one PrometheusMetrics for each registry"
            ) from error
        traffic: dict[type[Event], Callable[[Any], None]] = (
            {AttemptEnded: self._attempt} if view == "attempts" else {RequestAnswered: self._request}
        )
        self._by_event: dict[type[Event], Callable[[Any], None]] = {
            **traffic,
            CallEnded: self._call,
            BreakerChanged: self._circuit,
            HealthChanged: lambda event: self._state("health_state", event.to_state, event.provider, event.model),
            HealthAlert: lambda event: self._alerts.labels(event.provider, event.model or "", event.alert).set(
                event.is_raised
            ),
            HealthProbed: lambda event: self._count("probes", event.provider, event.told),
            HealthSkipped: lambda event: self._count("health_skips", event.provider),
            RetryScheduled: lambda event: self._count("retries", event.provider, event.cause),
            FallbackTaken: lambda event: self._count("fallbacks", event.from_provider, event.to_provider, event.cause),
            CircuitSkipped: lambda event: self._count("circuit_skips", event.provider),
            CacheHit: lambda event: self._count("cache_hits", event.provider),
            HedgeSent: lambda event: self._count("hedges", event.chain),
            LimitWaited: lambda event: self._count("limit_wait_seconds", event.provider, event.limit, by=event.waited),
            LimitRefused: lambda event: self._count("limit_refusals", event.provider, event.limit),
            BudgetRejected: lambda event: self._count("budget_rejections", event.scope),
            StoreFailed: lambda event: self._count("store_failures", event.store, event.operation),
            KeyRefused: lambda event: self._count("key_refusals", event.provider),
        }

    def observe(self, event: Event) -> None:
        """Count one event; what is not counted is passed over."""
        count = self._by_event.get(event.__class__)
        if count is not None:
            count(event)

    def _count(self, name: str, *labels: str | None, by: float = 1.0) -> None:
        # What a provider says that it has counted may be below zero, which no counter takes.
        self._counters[name].labels(*(label or "" for label in labels)).inc(max(0.0, by))

    def _attempt(self, event: AttemptEnded) -> None:
        it = event.attempt
        self._traffic(it.provider, it.model, it.outcome, it.duration, it.usage, it.billed, it.cost_usd)

    def _request(self, event: RequestAnswered) -> None:
        took = (event.at_ns - event.start_ns) / 1e9
        self._traffic(event.provider, event.model, event.outcome, took, event.usage, event.billed, event.cost_usd)

    def _traffic(
        self,
        provider: str,
        model: str | None,
        outcome: str,
        seconds: float,
        usage: Usage | None,
        billed: bool,
        cost_usd: Decimal | None,
    ) -> None:
        status = "cancelled" if outcome in GIVEN_UP else "error" if is_failure(outcome) else "success"
        self._count("requests", provider, status)
        self._times["request_duration"].labels(provider, model or "").observe(seconds)
        if status == "error":
            self._count("errors", provider, outcome)
        if usage is not None:
            self._count("token_usage", provider, "input", by=usage.input_tokens)
            self._count("token_usage", provider, "output", by=usage.output_tokens)
            if usage.cache_read_tokens:
                self._count("cached_tokens", provider, by=usage.cache_read_tokens)
        if cost_usd is not None:
            self._count("cost_usd", provider, model, by=float(cost_usd))
        elif billed:
            self._count("unpriced_requests", provider, model)

    def _call(self, event: CallEnded) -> None:
        self._count("calls", event.outcome)
        self._times["call_duration"].observe((event.at_ns - event.start_ns) / 1e9)
        if event.first_token_ns is not None:
            self._times["time_to_first_token"].observe((event.first_token_ns - event.start_ns) / 1e9)

    def _circuit(self, event: BreakerChanged) -> None:
        self._count("circuit_changes", event.provider, event.to_state)
        self._state("circuit_state", event.to_state, event.provider)

    def _state(self, name: str, found: str, *labels: str | None) -> None:
        for state in STATES[name][2]:
            self._states[name].labels(*(label or "" for label in labels), state).set(state == found)
