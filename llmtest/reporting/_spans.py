"""Spans for OpenTelemetry, made of events: while they happen in production, or of a run that is over.

| span | kind | name | what it covers |
|---|---|---|---|
| a call as the application sees it | internal | `call fallback-chain` | all of it; decisions are its events |
| a turn at one provider, inside it | client | `chat gpt-4o` | the request, and the retries of it |

The convention has a span cover a request and its retries; a fallback asks another provider, which is another request.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from contextlib import nullcontext
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

from llmtest.clock import OwnDraws, VirtualClock, active_clock
from llmtest.errors import ConfigurationError
from llmtest.events import (
    AttemptEnded,
    BreakerChanged,
    BudgetRejected,
    BudgetWarned,
    CacheFailed,
    CacheHit,
    CallEnded,
    CallStarted,
    CascadeTaken,
    CircuitSkipped,
    ContextAssembled,
    ContextCompressed,
    ContextSourceFailed,
    Event,
    FallbackTaken,
    FaultFired,
    HealthAlert,
    HealthChanged,
    HealthSkipped,
    HedgeDecided,
    HedgeSent,
    KeyRefused,
    LimitLearned,
    LimitRefused,
    LimitWaited,
    RequestAnswered,
    RequestReceived,
    RetryScheduled,
    RouteTaken,
    StoreFailed,
    SummaryFailed,
)
from llmtest.reporting._event_listener import EventListener, View, checked_view
from llmtest.reporting._span_facts import (
    Attributes,
    attempt_attributes,
    event_attributes,
    is_failure,
    request_attributes,
    span_name,
)
from llmtest.types import Attempt

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Span, TracerProvider

__all__ = ["OpenTelemetrySpans"]

DECISIONS: tuple[type[Event], ...] = (
    RetryScheduled,
    FallbackTaken,
    CircuitSkipped,
    KeyRefused,
    BreakerChanged,
    CacheHit,
    CacheFailed,
    HedgeSent,
    HedgeDecided,
    LimitWaited,
    LimitRefused,
    LimitLearned,
    RouteTaken,
    CascadeTaken,
    ContextCompressed,
    SummaryFailed,
    ContextAssembled,
    ContextSourceFailed,
    HealthChanged,
    HealthSkipped,
    HealthAlert,
    BudgetRejected,
    BudgetWarned,
    StoreFailed,
    FaultFired,
)
"""What becomes an event of the call's span."""


class _Turn:
    """One turn of a call at a provider.

    Args:
        attempt: Its first attempt.
    """

    __slots__ = ("attempts", "goes_on", "retries")

    def __init__(self, attempt: Attempt) -> None:
        self.attempts = [attempt]
        self.retries: list[RetryScheduled] = []
        self.goes_on = False
        """Whether a retry was scheduled that has not ended yet."""

    def is_at(self, provider: str, model: str | None) -> bool:
        """Tell whether it is a turn at a provider, for a model."""
        last = self.attempts[-1]
        return last.provider == provider and last.model == model


class _Call:
    """One call under way.

    Args:
        span: Its span.
        context: What its turns are inside of.
        epoch_ns: Date of the start of its clock, in nanoseconds since 1970.
    """

    __slots__ = ("context", "epoch_ns", "span", "turns")

    def __init__(self, span: Span, context: Context, epoch_ns: int) -> None:
        self.span = span
        self.context = context
        self.epoch_ns = epoch_ns
        self.turns: list[_Turn] = []


class OpenTelemetrySpans(EventListener):
    """Makes spans of what happens, by OpenTelemetry's conventions for generative AI.

    Needs the extra `[otel]`. Each call of the application is a span, inside the one that is current where the call
    begins; each turn at a provider is one inside it, with `gen_ai.operation.name`, `gen_ai.provider.name`,
    `gen_ai.request.model`, tokens, and `error.type` where it failed. Decisions (retries, fallbacks, circuits, the
    cache, budgets) are events of the call's span, with their facts as `llmtest.*`. No key, no prompt, no answer and no
    text of an error is part of any.

    Args:
        tracer_provider: Who makes the spans; None: the global one of OpenTelemetry.
        view: `attempts`: the requests that our own layer made; `requests`: those that simulated providers saw, of any
            client, when a trace is `read`.
        start: When the clock of the events began, as an aware datetime; None: as the running clock says.

    Raises:
        ConfigurationError: `opentelemetry-api` is not installed, or the view is no word.

    Example:
        >>> from opentelemetry.sdk.trace import TracerProvider
        >>> from llmtest import OpenTelemetrySpans
        >>> spans = OpenTelemetrySpans(TracerProvider()).start()  # where the application starts
        >>> spans.stop()  # and where it ends
    """

    def __init__(
        self,
        tracer_provider: TracerProvider | None = None,
        *,
        view: View = "attempts",
        start: datetime | None = None,
    ) -> None:
        try:
            from opentelemetry import context, trace
        except ImportError as error:
            raise ConfigurationError(
                "spans need the package `opentelemetry-api`, which is not installed.\n\n"
                "To fix: pip install -e '.[otel]', in a checkout of llmtest"
            ) from error
        from llmtest import __version__

        self.view = checked_view("OpenTelemetrySpans", view)
        self._tracing: Any = trace
        self._context = context.get_current
        self._tracer: Any = trace.get_tracer("llmtest", __version__, tracer_provider)
        self._start_ns = None if start is None else round(start.timestamp() * 1e6) * 1000
        self._draws = OwnDraws()
        self._calls: dict[int, _Call] = {}
        self._streams: set[int] = set()
        self._now_ns = 0
        self._lock = threading.RLock()  # whoever exports a span may be intercepted, which is an event
        self.count = 0
        """How many spans have ended."""

    def observe(self, event: Event) -> None:
        """Take note of one event."""
        with self._lock:
            self._now_ns = event.at_ns
            self._observe(event)

    def read(self, events: Iterable[Event]) -> Self:
        """Take note of events that have happened; what has not ended in them ends with the last of them."""
        super().read(events)
        self._end_all()
        return self

    def stop(self) -> None:
        """Hear of nothing more; calls under way end here."""
        super().stop()
        self._end_all()

    def _observe(self, event: Event) -> None:
        if isinstance(event, CallStarted):
            self._begin(event)
        elif isinstance(event, CallEnded):
            self._end(event.call, event)
        elif isinstance(event, AttemptEnded):
            if self.view == "attempts":
                self._attempt(event)
        elif isinstance(event, RequestReceived):
            if self.view == "requests" and event.stream:
                self._streams.add(event.exchange)
        elif isinstance(event, RequestAnswered):
            if self.view == "requests":
                self._request(event)
        elif isinstance(event, DECISIONS):
            self._decision(event)

    def _epoch_ns(self) -> int:
        if self._start_ns is not None:
            return self._start_ns
        clock = active_clock()
        return clock.time_ns() - clock.now_ns()

    def _begin(self, event: CallStarted) -> None:
        self._end(event.call, None)  # a number that is given again is that of another run
        epoch_ns, outer = self._epoch_ns(), self._context()
        attributes: Attributes = {"llmtest.call.label": event.label}
        span = self._started(f"call {event.label}", outer, "INTERNAL", attributes, epoch_ns + event.at_ns)
        inside = self._tracing.set_span_in_context(span, outer)
        self._calls[event.call] = _Call(span, inside, epoch_ns)

    def _end(self, number: int, event: CallEnded | None) -> None:
        call = self._calls.pop(number, None)
        if call is None:
            return
        for turn in call.turns:
            self._tell(turn, call)
        outcome = "unfinished" if event is None else event.outcome
        call.span.set_attribute("llmtest.outcome", outcome)
        if event is not None:
            told = {"llmtest.provider": event.provider, "llmtest.model": event.model}
            call.span.set_attributes({name: value for name, value in told.items() if value is not None})
            if event.first_token_ns is not None:
                waited = (event.first_token_ns - event.start_ns) / 1e9
                call.span.set_attribute("llmtest.time_to_first_token", waited)
        if outcome not in {"ok", "cancelled", "unfinished"}:
            call.span.set_attribute("error.type", outcome)
            call.span.set_status(self._tracing.StatusCode.ERROR)
        call.span.end(call.epoch_ns + self._now_ns)
        self.count += 1

    def _end_all(self) -> None:
        with self._lock:
            for number in tuple(self._calls):
                self._end(number, None)

    def _attempt(self, event: AttemptEnded) -> None:
        attempt, call = event.attempt, self._calls.get(event.call)
        if call is None:
            self._tell(_Turn(attempt), None)
            return
        for turn in call.turns:
            if turn.goes_on and turn.is_at(attempt.provider, attempt.model):
                turn.attempts.append(attempt)
                turn.goes_on = False
                return
        call.turns.append(_Turn(attempt))

    def _decision(self, event: Event) -> None:
        call = self._calls.get(event.call)
        if call is None:
            return
        if isinstance(event, RetryScheduled):
            for turn in reversed(call.turns):
                if turn.is_at(event.provider, event.model):
                    turn.goes_on = True
                    turn.retries.append(event)
                    return
        self._note(call.span, event, call.epoch_ns)

    @staticmethod
    def _note(span: Span, event: Event, epoch_ns: int) -> None:
        span.add_event(f"llmtest.{event.kind}", event_attributes(event), epoch_ns + event.at_ns)

    def _tell(self, turn: _Turn, call: _Call | None) -> None:
        """Make the span of a turn at a provider."""
        first, last = turn.attempts[0], turn.attempts[-1]
        found = attempt_attributes(turn.attempts)
        self._span(found, last.model, first.start_ns, last.end_ns, call, turn.retries)

    def _request(self, event: RequestAnswered) -> None:
        found = request_attributes(event, stream=event.exchange in self._streams)
        self._streams.discard(event.exchange)
        self._span(found, event.model, event.start_ns, event.at_ns, self._calls.get(event.call))

    def _span(
        self,
        attributes: Attributes,
        model: str | None,
        start_ns: int,
        end_ns: int,
        call: _Call | None,
        retries: Iterable[RetryScheduled] = (),
    ) -> None:
        epoch_ns = self._epoch_ns() if call is None else call.epoch_ns
        name = span_name(str(attributes["gen_ai.operation.name"]), model)
        outer = self._context() if call is None else call.context
        span = self._started(name, outer, "CLIENT", attributes, epoch_ns + start_ns)
        for retry in retries:
            self._note(span, retry, epoch_ns)
        if is_failure(str(attributes["llmtest.outcome"])):
            span.set_status(self._tracing.StatusCode.ERROR)
        span.end(epoch_ns + end_ns)
        self.count += 1

    def _started(self, name: str, outer: Context, kind: str, attributes: Attributes, start_ns: int) -> Span:
        """Return a span that begins; its numbers are drawn from a generator that a simulation has seeded for others."""
        seeded = isinstance(active_clock(), VirtualClock)
        with self._draws.drawing() if seeded else nullcontext():
            kind_of = getattr(self._tracing.SpanKind, kind)
            span: Span = self._tracer.start_span(
                name, context=outer, kind=kind_of, attributes=attributes, start_time=start_ns
            )
        return span
