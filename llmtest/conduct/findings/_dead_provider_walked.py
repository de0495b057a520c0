"""`dead_provider_walked`: every call begins at a provider that has been dead for many calls."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from llmtest.conduct._evidence import CallEvidence, RequestEvidence, RunEvidence
from llmtest.conduct._kind import FindingKind, Limits, Suspicion, Threshold
from llmtest.events import RequestReceived

__all__ = ["KIND"]

DOWN = frozenset({"timeout", "reset", "refused", "stalled"})
"""Outcomes of a provider that is not there, beside every 5xx. A full quota is no death."""


@dataclass(slots=True)
class _Walk:
    """Calls in a row that began at one provider and failed there."""

    failures: list[RequestEvidence] = field(default_factory=list)
    ended: int = -1
    """Position in the trace at which the last of them was over."""


def judge(run: RunEvidence, limits: Limits) -> Iterator[Suspicion]:
    """Count calls, one after the other, that met a dead provider first and were answered by another.

    Calls that overlap know nothing of each other, and a provider that was left alone for a while may be tried again.
    """
    last = {event.call: position for position, event in enumerate(run.events) if event.call}
    began = {e.exchange: position for position, e in enumerate(run.events) if isinstance(e, RequestReceived)}
    calls = sorted(
        (call for call in run.calls if call.requests and call.requests[0].exchange in began),
        key=lambda call: began[call.requests[0].exchange],
    )
    walks: dict[str, _Walk] = {}
    for call in calls:
        first = call.requests[0].provider
        for provider in [each for each in walks if each != first]:
            if not any(request.provider == provider for request in call.requests):
                del walks[provider]  # A call that leaves it out: somebody has noticed.
        failure = _met_first(call)
        if failure is None:
            walks.pop(first, None)
            continue
        walk = walks.setdefault(first, _Walk())
        if began[call.requests[0].exchange] < walk.ended:
            continue
        if walk.failures and call.requests[0].at_ns - walk.failures[-1].ended_ns >= limits["pause"] * 1e9:
            walk.failures.clear()
        walk.failures.append(failure)
        walk.ended = max(walk.ended, last.get(call.number, -1))
        if len(walk.failures) == limits["calls"]:
            yield _found(call, walk.failures)


def _met_first(call: CallEvidence) -> RequestEvidence | None:
    """Return the last failure of the provider that a call began at, where it was down and another has answered."""
    stretch = next(call.stretches())
    first = stretch[0].provider
    mine = [request for request in stretch if request.provider == first]
    is_down = all(each.outcome in DOWN or (each.outcome.isdigit() and each.outcome[0] == "5") for each in mine)
    return mine[-1] if is_down and stretch[-1].is_answered and stretch[-1].provider != first else None


def _found(call: CallEvidence, failures: Sequence[RequestEvidence]) -> Suspicion:
    provider, since = failures[0].provider, failures[0].at_ns / 1e9
    return Suspicion(
        f"{call.name} began at `{provider}` at {call.requests[0].at_ns / 1e9:.3f} s, the last of {len(failures)} calls "
        f"in a row that failed there and were answered elsewhere, since {since:.3f} s.",
        "the provider layer" if call.sender(failures[-1]) == "the provider layer" else call.witness.caller,
        (str(failures[0]), f"... {len(failures) - 2} more ...", str(failures[-1]))
        if len(failures) > 2
        else tuple(map(str, failures)),
    )


KIND = FindingKind(
    name="dead_provider_walked",
    rule="`calls` calls in a row, one after the other, began at a provider that was down, and were answered by another",
    fix="put a circuit breaker or a cooldown in front of a provider that has failed several times, so that calls go to "
    "the next one at once",
    blames="app or provider layer",
    thresholds=(
        Threshold("calls", 10, "calls in a row that failed at the provider", 2),
        Threshold("pause", 5.0, "a provider left alone for so many seconds may be tried again"),
    ),
    rests_on_waiting=True,
    judge_run=judge,
)
