"""Spans of a run that is over, in one line."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from llmtest.events import AttemptEnded
from llmtest.reporting._event_listener import View
from llmtest.reporting._spans import OpenTelemetrySpans

if TYPE_CHECKING:
    from opentelemetry.trace import TracerProvider

__all__ = ["export_spans"]


def export_spans(
    run: Any, tracer_provider: TracerProvider | None = None, *, view: View | None = None, start: datetime | None = None
) -> int:
    """Make spans of a run that is over, such as a simulated session.

    Args:
        run: A simulation (`llm_sim`), or the events of a run: a `Trace`, or those of an event file.
        tracer_provider: Who makes the spans; None: the global one of OpenTelemetry.
        view: As for `OpenTelemetrySpans`; None: `attempts` where our own layer made any, else `requests`.
        start: When the run's clock began, as an aware datetime; None: as the simulation says, or 1970 where there are
            events alone.

    Returns:
        How many spans there are.

    Raises:
        ConfigurationError: `opentelemetry-api` is not installed, or the view is no word.

    Example:
        >>> from opentelemetry.sdk.trace import TracerProvider
        >>> from llmtest import FallbackChain, LLMClient, Simulation, export_spans
        >>> with Simulation() as sim:
        ...     _ = sim.openai.replies("Paris")
        ...     answer = LLMClient(FallbackChain([sim.openai.as_provider("gpt-4o")])).ask("Capital of France?")
        ...     export_spans(sim, TracerProvider())
        2
    """
    clock = getattr(run, "clock", None)
    if start is None:
        start = datetime.fromtimestamp(0, UTC) if clock is None else _start_of(clock)
    events = tuple(getattr(run, "trace", run))
    if view is None:
        view = "attempts" if any(isinstance(event, AttemptEnded) for event in events) else "requests"
    return OpenTelemetrySpans(tracer_provider, view=view, start=start).read(events).count


def _start_of(clock: Any) -> datetime:
    now: datetime = clock.now()  # whole microseconds: what is below one is cut off, so it is of the time as well
    return now - timedelta(microseconds=round(clock.elapsed() * 1e9) // 1000)
