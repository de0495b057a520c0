"""`retry_storm`: more repeats than a provider in trouble can bear."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from llmtest.conduct._evidence import CallEvidence
from llmtest.conduct._kind import FindingKind, Limits, Suspicion, Threshold

__all__ = ["KIND", "BusyMinutes"]

MINUTE_NS = 60_000_000_000


def judge(call: CallEvidence, limits: Limits) -> Iterator[Suspicion]:
    """Look for calls that go on and on without an answer."""
    most = int(limits["requests"])
    if len(call.requests) <= most:
        return
    for stretch in call.stretches():
        begun = next((number for number, request in enumerate(stretch) if request.has_failed), len(stretch))
        if len(stretch) - begun > most:
            last = stretch[begun + most]
            yield Suspicion(
                f"{call.name} sent more than {most} requests without an answer.",
                call.sender(last),
                (str(stretch[begun]), f"... {most - 1} more ...", str(last)),
            )


class BusyMinutes:
    """Counts requests and repeats by minute: a call counts whole in the minute in which it ended.

    So no repeat is counted without its first request.

    Args:
        limits: The thresholds.
        caller: Who makes the calls.
    """

    def __init__(self, limits: Limits, caller: str) -> None:
        self._least = limits["minute_requests"]
        self._share = limits["minute_share"]
        self._caller = caller
        self._minutes: dict[str, list[int]] = {}
        self._found: list[Suspicion] = []

    def add(self, at_ns: int, asked: Mapping[str, int], repeats: Mapping[str, int] | None) -> None:
        """Count a call that has ended: its requests and repeats by provider."""
        number = at_ns // MINUTE_NS
        for provider, requests in asked.items():
            minute = self._minutes.get(provider)
            if minute is None or minute[0] != number:
                if minute is not None:
                    self._judge(provider, minute)
                minute = self._minutes[provider] = [number, 0, 0]
            minute[1] += requests
            if repeats is not None:
                minute[2] += repeats.get(provider, 0)

    def _judge(self, provider: str, minute: list[int]) -> None:
        number, requests, repeats = minute
        if requests >= self._least and repeats > requests * self._share:
            text = f"in minute {number} of the run {repeats} of {requests} requests to `{provider}` were repeats."
            self._found.append(Suspicion(text, self._caller))

    def finish(self) -> list[Suspicion]:
        """Return what was found, in order."""
        for provider, minute in self._minutes.items():
            self._judge(provider, minute)
        self._minutes.clear()
        return self._found


KIND = FindingKind(
    name="retry_storm",
    rule="more than `requests` requests in one call without an answer, or more than `minute_share` of a minute's "
    "requests (`minute_requests` or more) were repeats",
    fix="limit the attempts of a call, and the share of retries over all calls (a retry budget, a circuit breaker)",
    blames="SDK, framework or app: who sent the last request",
    thresholds=(
        Threshold("requests", 10, "most requests of one call without an answer", 1),
        Threshold("minute_requests", 40, "requests that make a minute busy enough to be judged", 1),
        Threshold("minute_share", 0.75, "share of them that may be repeats, 0 to 1"),
    ),
    judge_call=judge,
)
