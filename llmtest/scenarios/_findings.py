"""The verdict on a run: what the caller did that no caller should, judged from the events alone.

| finding | rule |
|---|---|
| `harness_error` | the run itself was wrong: a blocked live request, an unscripted one |
| `retry_after_ignored` | within one call a provider was asked again before the wait it had asked for was over |
| `retried_non_retryable` | within one call a provider was asked the same again after a 400, 401, 403, 404, 413 or 422 |
| `retry_storm` | more than 10 requests in a call, or over 3/4 repeats among 40 or more requests a minute |
| `half_open_herd` | while a breaker was half open, more calls than it lets through turned to the provider |
| `budget_overshoot` | the calls cost more than the budget's limit in a day, or in the session |

Findings of the issue's list that cannot be judged soundly from here (`no_backoff`, `gave_up`, `no_read_timeout`,
`truncated_answer_accepted`) are not judged.
"""

from __future__ import annotations

from collections import Counter

from llmtest import events

__all__ = ["Findings"]

FINAL = frozenset({"400", "401", "403", "404", "413", "422"})
MOST_REQUESTS = 10
STORM_REQUESTS = 40
MINUTE_NS = 60_000_000_000


class Findings:
    """Judges a run while it goes on.

    Args:
        half_open_calls: Calls that a breaker lets through while half open; None: unknown, nothing is judged.
    """

    def __init__(self, half_open_calls: int | None) -> None:
        self.counts: Counter[str] = Counter()
        self.first: dict[str, str] = {}
        self._half_open_calls = half_open_calls
        self._half_open: dict[str, int] = {}
        self._not_before: dict[tuple[int, str], int] = {}
        self._final: set[tuple[int, str, str | None]] = set()
        self._minutes: dict[str, list[int]] = {}

    def add(self, name: str, text: str) -> None:
        """Record a finding; of each kind the first text is kept."""
        self.counts[name] += 1
        self.first.setdefault(name, text)

    def received(self, event: events.RequestReceived, *, first: bool) -> None:
        """Judge a request; `first` tells whether its call had not asked this provider before."""
        provider = event.provider
        minute = self._minutes.get(provider)
        number = event.at_ns // MINUTE_NS
        if minute is None or minute[0] != number:
            if minute is not None:
                self._judge_minute(provider, minute)
            minute = self._minutes[provider] = [number, 0, 0]
        minute[1] += 1
        if first:
            if provider in self._half_open:
                self._probe(event)
            return
        minute[2] += 1
        key = (event.call, provider)
        due = self._not_before.pop(key, None)
        if due is not None and event.at_ns < due:
            early = (due - event.at_ns) / 1e9
            self.add(
                "retry_after_ignored",
                f"call {event.call} asked `{provider}` again at {event.at:.3f} s, {early:.3f} s before it was to.",
            )
        if self._final and (event.call, provider, event.model) in self._final:
            self.add(
                "retried_non_retryable",
                f"call {event.call} sent the same to `{provider}` again at {event.at:.3f} s after a final refusal.",
            )

    def _probe(self, event: events.RequestReceived) -> None:
        self._half_open[event.provider] += 1
        most = self._half_open_calls
        if most is not None and self._half_open[event.provider] == most + 1:
            self.add(
                "half_open_herd",
                f"the half-open circuit `{event.provider}` let more than {most} calls through at {event.at:.3f} s.",
            )

    def failed(self, event: events.RequestAnswered) -> None:
        """Remember a refusal, to judge what the call does next."""
        if event.retry_after:
            due = event.at_ns + round(event.retry_after * 1e9)
            self._not_before[event.call, event.provider] = due
        if event.outcome in FINAL:
            self._final.add((event.call, event.provider, event.model))

    def breaker_changed(self, event: events.BreakerChanged) -> None:
        """Watch half-open circuits."""
        if event.to_state == "half_open":
            self._half_open[event.provider] = 0
        else:
            self._half_open.pop(event.provider, None)

    def harness_error(self, event: events.HarnessErrorRecorded) -> None:
        """Record that the run itself was wrong."""
        self.add("harness_error", f"{event.subject()}: {event.error}")

    def call_ended(self, call: int, asked: dict[str, int]) -> None:
        """Judge a whole call and forget it."""
        if len(asked) > 1 or next(iter(asked.values())) > MOST_REQUESTS:
            total = sum(asked.values())
            if total > MOST_REQUESTS:
                self.add("retry_storm", f"call {call} sent {total} requests.")
        for provider in asked:
            self._not_before.pop((call, provider), None)
        if self._final:
            self._final = {entry for entry in self._final if entry[0] != call}

    def _judge_minute(self, provider: str, minute: list[int]) -> None:
        number, requests, repeats = minute
        if requests >= STORM_REQUESTS and repeats * 4 > requests * 3:
            self.add(
                "retry_storm",
                f"in minute {number} of the run {repeats} of {requests} requests to `{provider}` were repeats.",
            )

    def finish(self) -> None:
        """Judge what is still open when the run ends."""
        for provider, minute in self._minutes.items():
            self._judge_minute(provider, minute)
        self._minutes.clear()
