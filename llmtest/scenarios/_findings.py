"""The verdict on a run: what the caller did that no caller should, judged from the events.

| finding | rule |
|---|---|
| `harness_error` | the run itself was wrong: a blocked live request, an unscripted one |
| `retry_after_ignored` | within one call a provider was asked again before the wait it had asked for was over |
| `retried_non_retryable` | within one call the same was asked again after a 400-404, 413, 422, or without credit |
| `no_backoff` | within one call a provider was asked the same again twice, each time without a pause |
| `retry_storm` | over 10 requests in a call without an answer, or over 3/4 repeats among a minute's 40 or more |
| `gave_up` | a call failed after a single request, at a failure that may pass within a minute |
| `truncated_answer_accepted` | a stream ended without its terminator, and the call passed for answered |
| `no_read_timeout` | a silent provider was waited for 10 minutes or longer |
| `half_open_herd` | while a breaker was half open, more calls than it lets through turned to the provider |
| `budget_overshoot` | the calls cost more than the budget's limit in a day, or in the session |

A repeat is a request to a provider that has failed since the call's last answer: the turns of an agent repeat nothing.
Each finding names who is to blame, as far as the requests tell.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from llmtest import events

__all__ = ["FINDINGS", "Finding", "Findings", "Witness"]

FINDINGS = (
    "retry_after_ignored",
    "retry_storm",
    "no_backoff",
    "retried_non_retryable",
    "truncated_answer_accepted",
    "gave_up",
    "no_read_timeout",
    "budget_overshoot",
    "half_open_herd",
    "harness_error",
)
FINAL = frozenset({"400", "401", "402", "403", "404", "413", "422"})
PASSING = frozenset({"408", "409", "429", "timeout", "reset", "refused"})
"""Outcomes that another request may not meet, beside every 5xx."""
OUT_OF_CREDIT = "quota_exceeded"
REFUSED_BY_CALLER = frozenset({"BudgetExceededError", "CircuitOpenError", "DeadlineExceededError", "cancelled"})
MOST_REQUESTS = 10
STORM_REQUESTS = 40
MINUTE_NS = 60_000_000_000
NO_PAUSE_NS = 1_000_000
"""A wait shorter than a millisecond is none; a drawn one that short twice in a row is one in a million."""
PATIENCE_NS = 600_000_000_000
"""What both official SDKs wait for where nobody tells them otherwise."""


@dataclass(slots=True)
class Finding:
    """One kind of finding.

    Args:
        text: The first of its kind.
        blame: Who did it; None where nobody can be named.
        count: How often it was found.
    """

    text: str
    blame: str | None
    count: int = 0

    def __str__(self) -> str:
        more = f" ({self.count:,} such findings)" if self.count > 1 else ""
        blame = "" if self.blame is None else f" To blame: {self.blame}."
        return f"{self.text}{more}{blame}"


class Witness:
    """What is known of requests beside their events.

    Args:
        caller: Who sends them all.
    """

    def __init__(self, caller: str = "the caller") -> None:
        self.caller = caller

    def sender(self, event: events.RequestReceived) -> str:  # noqa: ARG002 - who knows more looks at it
        """Return who sent a repeated request."""
        return self.caller

    def is_same(self, first: int, second: int) -> bool:  # noqa: ARG002 - who knows more looks at them
        """Tell whether two exchanges carried the same request; True where that is not known."""
        return True


@dataclass(slots=True)
class _Trouble:
    """What a call has met since its last answer."""

    failed: dict[str, events.RequestAnswered] = field(default_factory=dict)
    due: dict[str, int] = field(default_factory=dict)
    final: dict[tuple[str, str | None], int] = field(default_factory=dict)
    repeats: int = 0
    hasty: int = 0
    last: events.RequestAnswered | None = None
    is_refused: bool = False
    """Whether a circuit or a budget of the caller's own stood in the way."""


class Findings:
    """Judges a run while it goes on.

    Args:
        half_open_calls: Calls that a breaker lets through while half open; None: unknown, nothing is judged.
        witness: What is known of requests beside their events.
        judges_giving_up: Whether a call has to try twice; a caller with a retry budget has not.
    """

    def __init__(
        self, half_open_calls: int | None, witness: Witness | None = None, *, judges_giving_up: bool = True
    ) -> None:
        self.found: dict[str, Finding] = {}
        self._half_open_calls = half_open_calls
        self._witness = Witness() if witness is None else witness
        self._judges_giving_up = judges_giving_up
        self._half_open: dict[str, int] = {}
        self._troubles: dict[int, _Trouble] = {}
        self._repeats: dict[int, dict[str, int]] = {}
        self._minutes: dict[str, list[int]] = {}

    @property
    def caller(self) -> str:
        """Who makes the calls."""
        return self._witness.caller

    def add(self, name: str, text: str, blame: str | None) -> None:
        """Record a finding; of each kind the first text is kept."""
        finding = self.found.get(name)
        if finding is None:
            finding = self.found[name] = Finding(text, blame)
        finding.count += 1

    def received(self, event: events.RequestReceived, *, first: bool) -> None:
        """Judge a request; `first` tells whether its call had not asked this provider before."""
        if first and event.provider in self._half_open:
            self._probe(event)
        trouble = self._troubles.get(event.call) if self._troubles else None
        if trouble is not None and self._judge_after_failure(event, trouble):
            repeats = self._repeats.setdefault(event.call, {})
            repeats[event.provider] = repeats.get(event.provider, 0) + 1

    def _judge_after_failure(self, event: events.RequestReceived, trouble: _Trouble) -> bool:
        """Judge a request of a call that has failed before; return whether it is a repeat."""
        provider = event.provider
        due = trouble.due.pop(provider, None)
        if due is not None and event.at_ns < due:
            early = (due - event.at_ns) / 1e9
            self.add(
                "retry_after_ignored",
                f"{_call(event)} asked `{provider}` again at {event.at:.3f} s, {early:.3f} s before it was to.",
                self._witness.sender(event),
            )
        trouble.repeats += trouble.last is not None
        if trouble.repeats == MOST_REQUESTS:
            self.add(
                "retry_storm",
                f"{_call(event)} sent more than {MOST_REQUESTS} requests without an answer.",
                self._witness.sender(event),
            )
        failure = trouble.failed.get(provider)
        if failure is None:
            return False
        if not self._witness.is_same(failure.exchange, event.exchange):
            return False
        self._judge_repeat(event, failure, trouble)
        return True

    def _judge_repeat(self, event: events.RequestReceived, failure: events.RequestAnswered, trouble: _Trouble) -> None:
        provider = event.provider
        if (provider, event.model) in trouble.final:
            self.add(
                "retried_non_retryable",
                f"{_call(event)} sent the same to `{provider}` again at {event.at:.3f} s after a final refusal.",
                self._witness.sender(event),
            )
        elif not failure.retry_after and event.at_ns - failure.at_ns < NO_PAUSE_NS:
            trouble.hasty += 1
            if trouble.hasty == 2:
                self.add(
                    "no_backoff",
                    f"{_call(event)} asked `{provider}` again twice without a pause, last at {event.at:.3f} s.",
                    self._witness.sender(event),
                )

    def _probe(self, event: events.RequestReceived) -> None:
        self._half_open[event.provider] += 1
        most = self._half_open_calls
        if most is not None and self._half_open[event.provider] == most + 1:
            self.add(
                "half_open_herd",
                f"the half-open circuit `{event.provider}` let more than {most} calls through at {event.at:.3f} s.",
                self.caller,
            )

    def _trouble_of(self, call: int) -> _Trouble:
        trouble = self._troubles.get(call)
        if trouble is None:
            trouble = self._troubles[call] = _Trouble()
        return trouble

    def answered(self, event: events.RequestAnswered) -> None:
        """Look at what came of a request, to judge what the call does next."""
        if event.outcome == "200":
            if self._troubles and event.call in self._troubles:
                due = self._troubles.pop(event.call).due
                if due:
                    self._trouble_of(event.call).due = due
            return
        trouble = self._trouble_of(event.call)
        trouble.last = trouble.failed[event.provider] = event
        if event.retry_after:
            trouble.due[event.provider] = event.at_ns + round(event.retry_after * 1e9)
        if event.outcome in FINAL or _is_out_of_credit(event):
            trouble.final[event.provider, event.model] = event.exchange
        elif event.outcome in {"timeout", "stalled"} and event.at_ns - event.start_ns >= PATIENCE_NS:
            waited = (event.at_ns - event.start_ns) / 1e9
            self.add(
                "no_read_timeout",
                f"{_call(event)} waited {waited:.0f} s for `{event.provider}`, which had fallen silent.",
                "the app, which sets no timeout",
            )

    def refused(self, event: events.Event) -> None:
        """Note that the caller's own circuit or budget stood in the way of a request."""
        self._trouble_of(event.call).is_refused = True

    def breaker_changed(self, event: events.BreakerChanged) -> None:
        """Watch half-open circuits."""
        if event.to_state == "half_open":
            self._half_open[event.provider] = 0
        else:
            self._half_open.pop(event.provider, None)

    def harness_error(self, event: events.HarnessErrorRecorded) -> None:
        """Record that the run itself was wrong."""
        self.add("harness_error", f"{events.error_facts(event.error).class_name}: {event.error}", None)

    def call_ended(self, event: events.CallEnded, asked: Mapping[str, int]) -> None:
        """Judge a whole call and forget it; `asked` counts its requests by provider."""
        self._count(event, asked)
        trouble = self._troubles.pop(event.call, None) if self._troubles else None
        if trouble is None or trouble.last is None:
            return
        last = trouble.last
        if event.outcome in {"ok", "truncated"}:  # The second is how a call ends that nobody marked.
            if last.outcome == "truncated":
                self.add(
                    "truncated_answer_accepted",
                    f"{_call(event)} took a stream of `{last.provider}` for whole that ended too early, at "
                    f"{last.at:.3f} s.",
                    "the app, because no SDK tells it",
                )
        elif (
            sum(asked.values()) == 1
            and self._judges_giving_up
            and not trouble.is_refused
            and event.outcome not in REFUSED_BY_CALLER
            and _may_pass(last)
        ):
            failure = f"`{last.provider}:{last.outcome}` at {last.at:.3f} s"
            self.add("gave_up", f"{_call(event)} failed with {failure} and did not try again.", self.caller)

    def _count(self, event: events.CallEnded, asked: Mapping[str, int]) -> None:
        """Add a call to the minute in which it ended, whole, so that no repeat is counted without its first request."""
        repeats = self._repeats.pop(event.call, None) if self._repeats else None
        number = event.at_ns // MINUTE_NS
        for provider, requests in asked.items():
            minute = self._minutes.get(provider)
            if minute is None or minute[0] != number:
                if minute is not None:
                    self._judge_minute(provider, minute)
                minute = self._minutes[provider] = [number, 0, 0]
            minute[1] += requests
            if repeats is not None:
                minute[2] += repeats.get(provider, 0)

    def _judge_minute(self, provider: str, minute: list[int]) -> None:
        number, requests, repeats = minute
        if requests >= STORM_REQUESTS and repeats * 4 > requests * 3:
            self.add(
                "retry_storm",
                f"in minute {number} of the run {repeats} of {requests} requests to `{provider}` were repeats.",
                self.caller,
            )

    def finish(self) -> None:
        """Judge what is still open when the run ends."""
        for provider, minute in self._minutes.items():
            self._judge_minute(provider, minute)
        self._minutes.clear()


def _call(event: events.Event) -> str:
    """Name a call; those that nobody marked have numbers below 1."""
    return f"call {event.call}" if event.call > 0 else f"unmarked call {-event.call}"


def _may_pass(failure: events.RequestAnswered) -> bool:
    """Tell whether another request within a minute may fare better."""
    if _is_out_of_credit(failure) or (failure.retry_after or 0) > 60:
        return False
    return failure.outcome in PASSING or (failure.outcome.isdigit() and failure.outcome.startswith("5"))


def _is_out_of_credit(failure: events.RequestAnswered) -> bool:
    """Tell an exhausted account, which OpenAI answers with a 429, from a rate limit."""
    return failure.fault is not None and failure.fault.startswith(OUT_OF_CREDIT)
