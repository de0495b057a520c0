"""How requests are spread, doubled and held back: hedges, limits of our own, routes."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar, Literal

from llmtest.events._event import Event

__all__ = [
    "CascadeTaken",
    "HedgeDecided",
    "HedgeSent",
    "LimitKind",
    "LimitLearned",
    "LimitRefusal",
    "LimitRefused",
    "LimitWaited",
    "RouteTaken",
]

LimitKind = Literal["rpm", "tpm", "concurrency", "queue", "retry_after"]
LimitRefusal = Literal["deadline", "queue_timeout", "queue_full", "too_large", "store_down"]


@dataclass(slots=True)
class HedgeSent(Event):
    """A call was not answered yet, and was sent once more.

    Args:
        chain: Name of the chain.
        number: Number of the request beside the first, from 1.
        waited: Seconds since the call began.
    """

    kind: ClassVar[str] = "hedge"

    chain: str
    number: int
    waited: float


@dataclass(slots=True)
class HedgeDecided(Event):
    """Of the requests of a call that ran side by side, one was answered first.

    Args:
        chain: Name of the chain.
        winner: Its number; 0: the first request.
        provider: Who answered it.
        model: Its model.
        given_up: How many others were under way, and are not wanted any more.
    """

    kind: ClassVar[str] = "hedge_decided"

    chain: str
    winner: int
    provider: str | None
    model: str | None
    given_up: int


@dataclass(slots=True)
class LimitWaited(Event):
    """A limit of our own held a request back; it may go now.

    Args:
        provider: Whom it goes to.
        model: Its model.
        limit: The limit that it waited for last.
        waited: Seconds that it was held back.
    """

    kind: ClassVar[str] = "limit_waited"

    provider: str
    model: str | None
    limit: LimitKind
    waited: float


@dataclass(slots=True)
class LimitRefused(Event):
    """A limit of our own refused a request, because it could not go in time.

    Args:
        provider: Whom it would have gone to.
        model: Its model.
        limit: The limit that stands in the way.
        cause: Why it did not wait: it could not go before the call's `deadline` or within the `queue_timeout`, the
            queue was full (`queue_full`), it is larger than a whole minute's tokens (`too_large`), or what keeps the
            limits cannot be asked, and was told to refuse then (`store_down`).
        retry_after: Seconds until it could go; None where that is not known, or never.
    """

    kind: ClassVar[str] = "limit_refused"

    provider: str
    model: str | None
    limit: LimitKind
    cause: LimitRefusal
    retry_after: float | None = None


@dataclass(slots=True)
class LimitLearned(Event):
    """A provider told of a limit that is not what was known, and from now on it holds.

    Args:
        provider: The provider.
        limit: Which limit.
        per_minute: How much it allows a minute; None for a wait that it asked for.
        seconds: How long nothing is sent; None for a number a minute.
    """

    kind: ClassVar[str] = "limit_learned"

    provider: str
    limit: LimitKind
    per_minute: int | None = None
    seconds: float | None = None


@dataclass(slots=True)
class RouteTaken(Event):
    """It was decided which provider a call goes to.

    Args:
        chain: Name of the chain or router.
        provider: The provider that is asked first.
        model: Its model.
        cause: What decided: `score`, `hint`, `override`, `tools`, `latency`, `cost`, `reliability`, `exploration`,
            `task`, `preference`.
        tier: The tier of the prompt; None where it has none.
        percent: The score that decided, in percent of the highest; None where none did.
    """

    kind: ClassVar[str] = "route"

    chain: str
    provider: str
    model: str | None
    cause: str
    tier: str | None = None
    percent: Decimal | None = None


@dataclass(slots=True)
class CascadeTaken(Event):
    """The cheap provider did not do, and the call went on to the primary one.

    Args:
        chain: Name of the chain.
        from_provider: The provider that did not do.
        from_model: Its model.
        to_provider: The provider that is asked next.
        to_model: Its model.
        cause: Why: `error`, or `uncertain`.
        evidence: What told it: the words of the answer, `empty`, or the outcome of the error.
    """

    kind: ClassVar[str] = "cascade"

    chain: str
    from_provider: str
    from_model: str | None
    to_provider: str
    to_model: str | None
    cause: Literal["error", "uncertain"]
    evidence: str
