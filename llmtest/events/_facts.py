"""Events as plain data and back: one JSON object each, whose keys are the fields.

| a field of type | is written as |
|---|---|
| whole number, number, text, yes or no | itself |
| `Decimal` | its digits as text, so that no reader rounds money |
| `Usage`, `Attempt` | an object of their fields |
| counts by name | an object of numbers: `{"web_search": 2}` |
| an error | `{"class": ..., "message": ..., "status": ...}`; read as a `RecordedError` |

Reading is strict: a field that is missing, unknown or of another type is an error that names it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import MISSING, dataclass, fields, is_dataclass
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from functools import cache
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from llmtest.events._attempts import AttemptEnded, RetryScheduled
from llmtest.events._calls import CallEnded, CallStarted
from llmtest.events._context import ContextAssembled, ContextCompressed, ContextSourceFailed, SummaryFailed
from llmtest.events._event import Event
from llmtest.events._health import HealthAlert, HealthChanged, HealthProbed, HealthSkipped
from llmtest.events._policies import (
    BreakerChanged,
    BreakerWatched,
    BudgetRejected,
    BudgetWarned,
    CacheFailed,
    CacheHit,
    CircuitSkipped,
    FallbackTaken,
    KeyRefused,
    StoreFailed,
)
from llmtest.events._recorded_error import RecordedError, error_facts
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

__all__ = ["COUNTS", "EVENTS", "LABELS", "Fact", "FactsError", "event_of", "facts_in", "facts_of"]

EVENTS: tuple[type[Event], ...] = (
    CallStarted,
    CallEnded,
    RequestReceived,
    RequestAnswered,
    FaultFired,
    AttemptEnded,
    RetryScheduled,
    FallbackTaken,
    CircuitSkipped,
    KeyRefused,
    BreakerChanged,
    BreakerWatched,
    CacheHit,
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
    CacheFailed,
    StoreFailed,
    HealthProbed,
    HealthChanged,
    HealthSkipped,
    HealthAlert,
    BudgetRejected,
    BudgetWarned,
    LiveRequestPassed,
    RealIoObserved,
    RealTimePassed,
    TelemetryKept,
    HarnessErrorRecorded,
)
"""Every class of event, in the order in which the documentation tells of them."""

COUNTS = tuple[tuple[str, int], ...]
"""Numbers by name, sorted by it."""
LABELS = tuple[tuple[str, str], ...]
"""Texts by name."""
BY_KIND = {cls.kind: cls for cls in EVENTS}
WORDS: dict[type, tuple[str, tuple[type, ...]]] = {
    int: ("a whole number", (int,)),
    float: ("a number", (int, float)),
    str: ("a text", (str,)),
    bool: ("true or false", (bool,)),
}


class FactsError(ValueError):
    """Data that is no event."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One field of an event, or of an object inside it.

    Args:
        name: Its name.
        type: Its type, without None.
        optional: Whether it may be null.
        required: Whether it has to be there.
    """

    name: str
    type: Any
    optional: bool
    required: bool


@cache
def facts_in(kind: Any) -> tuple[Fact, ...]:
    """Return the fields of a class of events, or of objects inside them."""
    hints = get_type_hints(kind)
    return tuple(
        _fact(field.name, hints[field.name], required=field.default is MISSING and field.default_factory is MISSING)
        for field in fields(kind)
    )


def _fact(name: str, hint: Any, *, required: bool) -> Fact:
    if get_origin(hint) not in {Union, UnionType}:
        return Fact(name, hint, optional=False, required=required)
    inner = [part for part in get_args(hint) if part is not type(None)]
    assert len(inner) == 1, f"{name}: a fact has one type, or one type and None; got {hint}"
    return Fact(name, inner[0], optional=True, required=required)


def facts_of(event: Event) -> dict[str, Any]:
    """Return an event as data: its kind, and every field."""
    cls: Any = event.__class__
    facts: dict[str, Any] = {"kind": event.kind}
    for name, encode in _encoders(cls):
        value = getattr(event, name)
        facts[name] = value if value is None or encode is None else encode(value)
    return facts


@cache
def _encoders(kind: Any) -> tuple[tuple[str, Callable[[Any], Any] | None], ...]:
    return tuple((fact.name, _encoder(fact.type)) for fact in facts_in(kind))


def _encoder(kind: Any) -> Callable[[Any], Any] | None:
    """Return what makes data of a value; None where it is data already."""
    if kind is Decimal:
        return "{:f}".format
    if kind in (COUNTS, LABELS):
        return dict
    if is_dataclass(kind):
        return _encode_object
    return _encode_error if _is_error(kind) else None


def _encode_object(value: Any) -> dict[str, Any]:
    return {
        name: inner if (inner := getattr(value, name)) is None or encode is None else encode(inner)
        for name, encode in _encoders(value.__class__)
    }


def _encode_error(error: BaseException) -> dict[str, Any]:
    facts = error_facts(error)
    return {"class": facts.class_name, "message": facts.message, "status": facts.status}


def _is_error(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseException)


def event_of(facts: object) -> Event:
    """Return the event that data tells of.

    Raises:
        FactsError: It tells of none.
    """
    if not isinstance(facts, dict):
        raise FactsError(f"an event is an object, got {_shown(facts)}")
    kind = facts.get("kind")
    cls = BY_KIND.get(kind) if isinstance(kind, str) else None
    if cls is None:
        raise FactsError(f"{_shown(kind)} is no kind of event{_near(kind, BY_KIND)}")
    event: Event = _decode_object(cls, {name: value for name, value in facts.items() if name != "kind"}, f"`{kind}`")
    return event


def _decode_object(cls: Any, data: object, where: str) -> Any:
    if not isinstance(data, dict):
        raise FactsError(f"{where} is an object, got {_shown(data)}")
    known = facts_in(cls)
    names = {fact.name for fact in known}
    for name in data:
        if name not in names:
            raise FactsError(f"{where} has no field {_shown(name)}{_near(name, names)}")
    for fact in known:
        if fact.required and fact.name not in data:
            raise FactsError(f"{where} lacks the field `{fact.name}`")
    return cls(**dict(_decoded(known, data, where)))


def _decoded(known: tuple[Fact, ...], data: dict[str, Any], where: str) -> Iterator[tuple[str, Any]]:
    for fact in known:
        if fact.name in data:
            value = data[fact.name]
            if value is not None or not fact.optional:
                value = _decode(fact.type, value, f"`{fact.name}` of {where}")
            yield fact.name, value


def _decode(kind: Any, value: Any, where: str) -> Any:
    if kind in WORDS:
        words, classes = WORDS[kind]
        if type(value) not in classes:
            raise FactsError(f"{where} is {words}, got {_shown(value)}")
        return value
    if get_origin(kind) is Literal:
        if value not in get_args(kind):
            allowed = ", ".join(f"`{word}`" for word in get_args(kind))
            raise FactsError(f"{where} is one of {allowed}, got {_shown(value)}{_near(value, get_args(kind))}")
        return value
    if kind is Decimal:
        return _decode_decimal(value, where)
    if kind in (COUNTS, LABELS):
        return _decode_counts(value, where) if kind == COUNTS else _decode_labels(value, where)
    if is_dataclass(kind):
        return _decode_object(kind, value, where)
    assert _is_error(kind), f"{where}: no way to write a {kind}"
    return _decode_error(value, where)


def _decode_decimal(value: object, where: str) -> Decimal:
    try:
        amount = Decimal(value) if isinstance(value, str) else None
    except InvalidOperation:
        amount = None
    if amount is None or not amount.is_finite():
        raise FactsError(f'{where} is an amount as text, such as "0.0035", got {_shown(value)}')
    return amount


def _decode_labels(value: object, where: str) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, dict) or not all(isinstance(label, str) for label in value.values()):
        raise FactsError(f"{where} is an object of texts, got {_shown(value)}")
    return tuple(value.items())


def _decode_counts(value: object, where: str) -> tuple[tuple[str, int], ...]:
    if not isinstance(value, dict) or any(type(count) is not int for count in value.values()):
        raise FactsError(f"{where} is an object of whole numbers, got {_shown(value)}")
    return tuple(sorted(value.items()))


def _decode_error(value: object, where: str) -> RecordedError:
    if isinstance(value, dict) and set(value) == {"class", "message", "status"}:
        name, message, status = value["class"], value["message"], value["status"]
        if isinstance(name, str) and isinstance(message, str) and (status is None or type(status) is int):
            return RecordedError(name, message, status)
    raise FactsError(f'{where} is an object of "class", "message" and "status", got {_shown(value)}')


def _shown(value: object) -> str:
    text = f"`{value}`" if isinstance(value, str) else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _near(word: object, known: Any) -> str:
    near = get_close_matches(word, sorted(known), n=1) if isinstance(word, str) else []
    return f". Did you mean `{near[0]}`?" if near else ""
