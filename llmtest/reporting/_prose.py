"""The facts of a run as short lines of prose."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal

from llmtest.scenarios import RunResult

__all__ = [
    "availability",
    "breakers",
    "clock_time",
    "faults",
    "latency",
    "served",
    "speed",
    "spend",
    "spend_by_hour",
    "spend_by_model",
]

MOST_TRANSITIONS = 12
MOST_HOURS = 24
"""Hours of a run that are told one by one."""


def clock_time(seconds: float) -> str:
    """Return a time of the run's clock: `10:03`, `1:00:00`."""
    whole = int(seconds)
    hours, minutes, rest = whole // 3600, whole % 3600 // 60, whole % 60
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def speed(result: RunResult) -> str:
    """Return how much happened, and how much faster than in reality."""
    lasted = clock_time(result.virtual_seconds)
    text = f"{result.calls:,} in {lasted} of virtual time"
    if not result.wall_seconds:  # The events of a run do not tell how long it really took.
        return text
    text += f", run in {result.wall_seconds:.2f} s"
    factor = result.virtual_seconds / result.wall_seconds
    return f"{text}: {factor:,.0f} x faster than real time" if factor >= 2 else text


def availability(result: RunResult) -> str:
    """Return the share of answered calls, and what the others died of."""
    text = f"{result.availability * 100:.6g}%   {result.succeeded:,} answered, {result.failed:,} failed"
    if result.errors:
        text += f" ({', '.join(f'{count:,} x {name}' for name, count in result.errors.items())})"
    return text


def served(result: RunResult) -> str:
    """Return who answered how much."""
    return ", ".join(
        f"{name} {count:,} ({count / result.succeeded * 100:.1f}%)" for name, count in result.served_by.items() if count
    )


def breakers(result: RunResult) -> Iterator[tuple[str, str]]:
    """Yield each circuit breaker that changed its state, with its history and times."""
    for provider, states in result.breaker.items():
        if len(states) == 1:
            continue
        changes = [change for change in result.transitions if change.provider == provider]
        steps = [f"{change.state} {clock_time(change.at)}" for change in changes]
        if len(steps) > MOST_TRANSITIONS:
            hidden = len(steps) - MOST_TRANSITIONS
            steps = [*steps[: MOST_TRANSITIONS - 3], f"({hidden} more)", *steps[-3:]]
        yield provider, " -> ".join([states[0], *steps])


def faults(result: RunResult) -> str:
    """Return how often each fault struck."""
    return ", ".join(f"{name} struck {count:,} x" for name, count in result.faults_fired.items())


def latency(result: RunResult) -> Iterator[tuple[str, str]]:
    """Yield the percentiles that were measured."""
    for label, values in (("latency", result.latency), ("first token", result.ttft)):
        known = {name: value for name, value in values.items() if value is not None}
        if known:
            yield label, ", ".join(f"{name} {_short(value)}" for name, value in known.items())


def _short(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.2f} s"


def spend(result: RunResult) -> str:
    """Return what was spent, by provider."""
    parts = _amounts(result.cost_by_provider.items())
    if result.cost_usd is None:
        return f"unknown (${result.known_cost_usd:,.4f} known)   {parts}"
    total = f"${result.cost_usd:,.4f}"
    return f"{total}   {parts}" if len(result.cost_by_provider) > 1 else total


def spend_by_model(result: RunResult) -> str:
    """Return what was spent by model, where that tells more than the providers do."""
    return _amounts(result.cost_by_model.items()) if len(result.cost_by_model) > len(result.cost_by_provider) else ""


def spend_by_hour(result: RunResult) -> str:
    """Return what was spent in each hour of the run, where it had several."""
    hours = [(f"+{hour}h", usd) for hour, usd in result.cost_by_hour.items()]
    if len(hours) < 2:
        return ""
    hidden = len(hours) - MOST_HOURS
    return _amounts(hours[:MOST_HOURS]) + (f", and {hidden} hours more" if hidden > 0 else "")


def _amounts(spent: Iterable[tuple[str, Decimal | None]]) -> str:
    return ", ".join(f"{name} {'unknown' if usd is None else f'${usd:,.4f}'}" for name, usd in spent)
