"""The words for events: the one place that makes text of their facts.

The text is stable, so that tables of it are fit for snapshots: equal events give equal text. It stands beside the
events, below every room that shows them (a trace, a failed assertion, the server, a report), and nothing reads it back:
whoever wants to know something asks the event.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from decimal import Decimal
from functools import singledispatch

from llmtest.events._attempts import AttemptEnded, RetryScheduled
from llmtest.events._calls import CallEnded, CallStarted
from llmtest.events._context import ContextAssembled, ContextCompressed, ContextSourceFailed, SummaryFailed
from llmtest.events._event import Event, plain
from llmtest.events._health import HealthAlert, HealthChanged, HealthProbed, HealthSkipped
from llmtest.events._policies import (
    BreakerChanged,
    BreakerWatched,
    BudgetRejected,
    BudgetUnit,
    BudgetWarned,
    CacheFailed,
    CacheHit,
    CircuitSkipped,
    FallbackTaken,
    KeyRefused,
    StoreFailed,
)
from llmtest.events._recorded_error import error_facts
from llmtest.events._requests import (
    FaultFired,
    HarnessErrorRecorded,
    LiveRequestPassed,
    RealIoObserved,
    RealTimePassed,
    RequestAnswered,
    RequestReceived,
    TelemetryKept,
)
from llmtest.events._traffic import (
    CascadeTaken,
    HedgeDecided,
    HedgeSent,
    LimitLearned,
    LimitRefused,
    LimitWaited,
    RouteTaken,
)

__all__ = ["describe", "table"]

Words = tuple[str, str]
"""Whom it concerns: a provider, with its model where one is known. And what happened."""


ASKED = {"call": "an answer", "models": "its models"}
"""What a probe asks for."""


@singledispatch
def describe(event: Event) -> Words:
    """Return whom an event concerns, and what happened; of an event nobody has words for its facts."""
    facts = [(field.name, plain(getattr(event, field.name))) for field in fields(event)]
    return "", " ".join(f"{name}={value}" for name, value in facts if name not in {"at_ns", "call"})


def table(events: Iterable[Event]) -> str:
    """Return events as a text table that stays the same from run to run, fit for snapshots."""
    rows = [(f"{event.at:.3f}", str(event.call or "-"), event.kind, *describe(event)) for event in events]
    if not rows:
        return "(no events)"
    header = ("t/s", "call", "event", "who", "what")
    widths = [max(len(row[column]) for row in (header, *rows)) for column in range(4)]
    lines = []
    for row in (header, *rows):
        time, call, kind, who, what = row
        lines.append(
            f"{time:>{widths[0]}}  {call:>{widths[1]}}  {kind:<{widths[2]}}  {who:<{widths[3]}}  {what}".rstrip()
        )
    return "\n".join(lines)


def _target(provider: str, model: str | None) -> str:
    return f"{provider}/{model}" if model else provider


@describe.register
def _(event: CallStarted) -> Words:
    return event.label, ""


@describe.register
def _(event: CallEnded) -> Words:
    by = f" by {_target(event.provider, event.model)}" if event.provider else ""
    return event.label, f"{event.outcome}{by}"


@describe.register
def _(event: RequestReceived) -> Words:
    stream = " stream" if event.stream else ""
    return _target(event.provider, event.model), f"#{event.exchange} {event.operation}{stream}"


@describe.register
def _(event: RequestAnswered) -> Words:
    text = f"#{event.exchange} {event.outcome}"
    if event.usage is not None:
        text += f" {event.usage.input_tokens}+{event.usage.output_tokens} tokens"
    if event.retry_after is not None:
        text += f" retry_after={event.retry_after:g}"
    if event.fault is not None:
        text += f" fault={event.fault}"
    return _target(event.provider, event.model), text


@describe.register
def _(event: FaultFired) -> Words:
    return event.provider, f"{event.rule} #{event.exchange}"


@describe.register
def _(event: RealIoObserved) -> Words:
    return event.peer, ""


@describe.register
def _(event: RealTimePassed) -> Words:
    if event.cause == "native_wait":
        return event.where or "", f"{event.seconds:.1f} s of real time passed in a wait that is not virtual"
    return event.library or "", "reads the machine's clock, which is not virtual"


@describe.register
def _(event: LiveRequestPassed) -> Words:
    return event.host, event.method


@describe.register
def _(event: TelemetryKept) -> Words:
    what = "a connection" if event.method is None else f"{event.method} {event.path}"
    return event.library, f"{what} to {event.host} did not leave"


@describe.register
def _(event: HarnessErrorRecorded) -> Words:
    return error_facts(event.error).class_name, _headline(event.error)


@describe.register
def _(event: AttemptEnded) -> Words:
    attempt = event.attempt
    slept = f" after {attempt.slept_before:.9g} s" if attempt.slept_before else ""
    return _target(attempt.provider, attempt.model), f"{attempt.outcome}{slept}"


@describe.register
def _(event: RetryScheduled) -> Words:
    return _target(event.provider, event.model), f"#{event.number} in {event.delay:.9g} s because {event.cause}"


@describe.register
def _(event: FallbackTaken) -> Words:
    to = _target(event.to_provider, event.to_model)
    return _target(event.from_provider, event.from_model), f"to {to} because {event.cause}"


@describe.register
def _(event: CircuitSkipped) -> Words:
    when = "isolated" if event.retry_after is None else f"probe in {event.retry_after:.9g} s"
    return _target(event.provider, event.model), when


@describe.register
def _(event: KeyRefused) -> Words:
    key = f"key {event.credential}" if event.credential else "its key"
    return _target(
        event.provider, event.model
    ), f"{key} refused with {event.outcome}, not tried for {event.seconds:.9g} s"


@describe.register
def _(event: BreakerChanged) -> Words:
    why = {
        "failures": f"{event.count} consecutive failures, the last: {event.outcome}",
        "failure_rate": f"{event.count} of {event.calls} calls failed, the last: {event.outcome}",
        "slow_calls": f"{event.count} of {event.calls} calls were slow, the last: {event.outcome}",
        "anomaly": f"unusual: {event.count} of {event.calls} calls failed, the last: {event.outcome}",
        "probe_failed": f"a probe failed: {event.outcome}",
        "probes_succeeded": f"{event.count} {'probe' if event.count == 1 else 'probes'} succeeded",
        "recovery_timeout": "recovery_timeout passed",
        "all_open": "every circuit is open",
    }.get(event.cause, event.cause)
    return event.provider, f"{event.from_state} -> {event.to_state}: {why}"


@describe.register
def _(event: BreakerWatched) -> Words:
    name = f" `{event.circuit}`" if event.circuit and event.circuit != event.provider else ""
    return event.provider, f"{event.state}: a circuit{name} of {event.library}"


@describe.register
def _(event: CacheHit) -> Words:
    words = [] if event.similarity is None else [f"alike by {event.similarity:.3f}"]
    if event.age:
        words.append(f"kept {event.age:.9g} s ago")
    return _target(event.provider, event.model), ", ".join(words)


@describe.register
def _(event: CacheFailed) -> Words:
    return "cache", f"{event.operation}: {_headline(event.error)}"


@describe.register
def _(event: StoreFailed) -> Words:
    what = "refused" if event.refuses else "went on without it"
    return event.store, f"{event.operation} {what}: {_headline(event.error)}"


@describe.register
def _(event: ContextCompressed) -> Words:
    messages = f"{event.messages_before} -> {event.messages_after} messages"
    return event.way.replace("_", " "), f"{messages}, about {event.tokens_before} -> {event.tokens_after} tokens"


@describe.register
def _(event: SummaryFailed) -> Words:
    return "summary", event.cause.replace("_", " ") if event.error is None else _headline(event.error)


@describe.register
def _(event: ContextAssembled) -> Words:
    kept = ", ".join(f"{count} of {source}" for source, count in event.kept) or "nothing"
    left = [f"{count} {cause.replace('_', ' ')}" for cause, count in event.left]
    if event.turns_left:
        left.append(f"{event.turns_left} turns")
    out = f"; left out: {', '.join(left)}" if left else ""
    return event.provider or "", f"{kept}, about {event.tokens} of {event.max_tokens} tokens{out}"


@describe.register
def _(event: ContextSourceFailed) -> Words:
    return event.source, _headline(event.error)


@describe.register
def _(event: HedgeSent) -> Words:
    return event.chain, f"#{event.number} after {event.waited:.9g} s"


@describe.register
def _(event: HedgeDecided) -> Words:
    who = event.chain if event.provider is None else _target(event.provider, event.model)
    winner = f"#{event.winner}" if event.winner else "the first request"
    others = "request" if event.given_up == 1 else "requests"
    return who, f"{winner} was answered first, {event.given_up} {others} given up"


@describe.register
def _(event: LimitWaited) -> Words:
    return _target(event.provider, event.model), f"{event.limit}: {event.waited:.9g} s"


@describe.register
def _(event: LimitRefused) -> Words:
    when = "" if event.retry_after is None else f", possible in {event.retry_after:.9g} s"
    return _target(event.provider, event.model), f"{event.limit}: {event.cause}{when}"


@describe.register
def _(event: LimitLearned) -> Words:
    if event.per_minute is None:
        return event.provider, f"{event.limit}: nothing for {event.seconds or 0:.9g} s"
    return event.provider, f"{event.limit}: {event.per_minute} a minute"


@describe.register
def _(event: RouteTaken) -> Words:
    tier = "" if event.tier is None else f" {event.tier}"
    score = "" if event.percent is None else f" {_digits(event.percent)} %"
    return _target(event.provider, event.model), f"{event.cause}{tier}{score}"


@describe.register
def _(event: CascadeTaken) -> Words:
    to = _target(event.to_provider, event.to_model)
    return _target(event.from_provider, event.from_model), f"to {to} because {event.cause}: {event.evidence}"


@describe.register
def _(event: HealthProbed) -> Words:
    why = "" if event.outcome is None else f": {event.outcome}"
    return _target(event.provider, event.model), f"asked for {ASKED[event.asked]}, {event.told}{why}"


@describe.register
def _(event: HealthChanged) -> Words:
    noun = "failure" if event.to_state == "unhealthy" else "success"
    many = f"1 {noun}" if event.count == 1 else f"{event.count} {noun}{'s' if noun == 'failure' else 'es'} in a row"
    last = "" if event.outcome is None else f", the last: {event.outcome}"
    change = f"{event.from_state} -> {event.to_state}"
    return _target(event.provider, event.model), f"{change}: {many}{last}, by a {event.source}"


@describe.register
def _(event: HealthSkipped) -> Words:
    return _target(event.provider, event.model), f"asked last, ill for {event.seconds:.9g} s"


@describe.register
def _(event: HealthAlert) -> Words:
    words = [event.alert.replace("_", " ")]
    if not event.is_raised:
        words.append("is over")
    if event.value is not None and event.limit is not None:
        words.append(f"{_measure(event.value, event.unit)}, the limit is {_measure(event.limit, event.unit)}")
    if event.outcome is not None:
        words.append(f"the last failure: {event.outcome}")
    return _target(event.provider, event.model), ", ".join(words)


def _measure(value: Decimal, unit: str | None) -> str:
    return f"${_digits(value)}" if unit == "usd" else f"{_digits(value)} {'%' if unit == 'percent' else 's'}"


@describe.register
def _(event: BudgetRejected) -> Words:
    return event.scope, _headline(event.error) if event.error is not None else _numbers(event)


@describe.register
def _(event: BudgetWarned) -> Words:
    spent = f"spent {_amount(event.spent, event.unit)} of {_amount(event.limit, event.unit)}"
    text = {
        "threshold": f"{spent}, {_digits(event.percent)} % or more",
        "let_pass": f"not halted: {_numbers(event)}",
        "passed": f"{spent}: not halted",
        "underestimated": f"{spent}: more than was reserved",
        "unpriced": f"not counted: {_headline(event.error)}",
        "unsettled": f"not settled yet: {_headline(event.error)}",
    }.get(event.cause, event.cause)
    return event.scope, text


def _numbers(event: BudgetRejected | BudgetWarned) -> str:
    spent, reserved, requested = map(_digits, (event.spent, event.reserved, event.requested))
    limit = _amount(event.limit, event.unit)
    return f"spent {spent} + reserved {reserved} + requested {requested} > limit {limit}"


def _amount(value: Decimal | None, unit: BudgetUnit | None) -> str:
    return f"{_digits(value)} tokens" if unit == "tokens" else f"${_digits(value)}"


def _headline(error: BaseException | None) -> str:
    return "" if error is None else str(error).partition("\n")[0]


def _digits(value: Decimal | None) -> str:
    """Return an amount without an exponent and without zeros at its end."""
    text = f"{0 if value is None else value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
