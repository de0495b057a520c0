"""What is known of how well providers are, and what somebody has to be told of it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar, Literal

from llmtest.events._event import Event

__all__ = [
    "AlertKind",
    "AlertUnit",
    "HealthAlert",
    "HealthChanged",
    "HealthProbed",
    "HealthSkipped",
    "HealthSource",
    "HealthState",
    "ProbeAsk",
    "ProbeTold",
]

HealthState = Literal["healthy", "unhealthy"]
HealthSource = Literal["probe", "call"]
ProbeAsk = Literal["call", "models"]
ProbeTold = Literal["success", "failure", "nothing"]
AlertKind = Literal["downtime", "error_rate", "cost", "degradation", "key_refused"]
AlertUnit = Literal["seconds", "percent", "usd"]


@dataclass(slots=True)
class HealthChanged(Event):
    """A provider is found ill, or well again.

    Args:
        provider: The provider.
        model: Its model.
        from_state: What it was taken for.
        to_state: What it is taken for from now on.
        source: What told last: a `probe`, or a `call`.
        count: How many failures in a row, or how many successes.
        outcome: Outcome of the last failure: a status, or a word such as `timeout`; `empty` for an answer with nothing
            in it, `rejected` for one that was not accepted, `no_key` where nothing could be asked; None for successes.
        error_class: Class of the error of the last failure.
    """

    kind: ClassVar[str] = "health"

    provider: str
    model: str | None
    from_state: HealthState
    to_state: HealthState
    source: HealthSource
    count: int
    outcome: str | None = None
    error_class: str | None = None


@dataclass(slots=True)
class HealthProbed(Event):
    """A provider was asked whether it is well: requests of this number are no call of the application.

    Args:
        provider: The provider.
        model: Its model.
        asked: What it was asked for: an answer (`call`), or its list of `models`.
        told: What that tells: a `success`, a `failure`, or `nothing`, as with a 429.
        outcome: Outcome of a failure, as in a change of health; None for others.
    """

    kind: ClassVar[str] = "probe"

    provider: str
    model: str | None
    asked: ProbeAsk
    told: ProbeTold
    outcome: str | None = None


@dataclass(slots=True)
class HealthSkipped(Event):
    """A call went to others first, because a provider is ill.

    Args:
        provider: The provider that was passed by.
        model: Its model.
        seconds: For how long it has been ill.
    """

    kind: ClassVar[str] = "unhealthy"

    provider: str
    model: str | None
    seconds: float


@dataclass(slots=True)
class HealthAlert(Event):
    """Somebody has to look at a provider, or need not any more.

    Args:
        provider: The provider.
        model: Its model.
        alert: What about: `downtime`, its `error_rate`, what it has `cost`, its slowness (`degradation`), or that it
            has refused its key (`key_refused`).
        is_raised: Whether it begins; else it is over.
        unit: What the numbers count; None where there are none.
        value: What was measured: seconds of downtime, percent of calls that failed or were slow, USD.
        limit: From which on there is an alert.
        outcome: Outcome of the last failure; None where none was the cause.
    """

    kind: ClassVar[str] = "alert"

    provider: str
    model: str | None
    alert: AlertKind
    is_raised: bool
    unit: AlertUnit | None = None
    value: Decimal | None = None
    limit: Decimal | None = None
    outcome: str | None = None
