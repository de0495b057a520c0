"""What policies decided: those of our own layer, and breakers of others that are watched."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar, Literal

from llmtest.events._event import Event

__all__ = [
    "BreakerCause",
    "BreakerChanged",
    "BreakerState",
    "BreakerWatched",
    "BudgetRejected",
    "BudgetUnit",
    "BudgetWarned",
    "BudgetWarning",
    "CacheFailed",
    "CacheHit",
    "CircuitSkipped",
    "FallbackTaken",
    "KeyRefused",
    "StoreFailed",
    "StoreKind",
]

BreakerState = Literal["closed", "open", "half_open", "isolated"]
BreakerCause = Literal[
    "failures",
    "failure_rate",
    "slow_calls",
    "anomaly",
    "recovery_timeout",
    "all_open",
    "probe_failed",
    "probes_succeeded",
    "isolated",
    "released",
    "reset",
]
StoreKind = Literal["breaker", "limiter", "keys", "health"]
BudgetUnit = Literal["usd", "tokens"]
BudgetWarning = Literal["threshold", "let_pass", "passed", "underestimated", "unpriced", "unsettled"]


@dataclass(slots=True)
class FallbackTaken(Event):
    """The chain moved on from one slot to the next.

    Args:
        chain: Name of the chain.
        from_provider: The provider that was left.
        from_model: Its model.
        to_provider: The provider that is asked next.
        to_model: Its model.
        cause: Outcome at the provider that was left: a status, or a word such as `timeout` or `circuit_open`.
        error_class: Class of the error it was left with.
    """

    kind: ClassVar[str] = "fallback"

    chain: str
    from_provider: str
    from_model: str | None
    to_provider: str
    to_model: str | None
    cause: str
    error_class: str | None = None


@dataclass(slots=True)
class CircuitSkipped(Event):
    """A slot was skipped, because its circuit is open.

    Args:
        provider: The provider that was not asked.
        model: Its model.
        retry_after: Wait until its circuit lets a call through, in seconds; None where it is isolated by hand.
    """

    kind: ClassVar[str] = "circuit_open"

    provider: str
    model: str | None
    retry_after: float | None


@dataclass(slots=True)
class KeyRefused(Event):
    """A provider refused a key, which is not tried again for a while: somebody has to mend it.

    Args:
        provider: The provider.
        model: Its model.
        outcome: How it refused: `401`, `403`.
        credential: The label of the key, never the key; None where it has none.
        seconds: For how long calls pass by whoever is asked with this key, unless it changes before.
    """

    kind: ClassVar[str] = "key_refused"

    provider: str
    model: str | None
    outcome: str
    credential: str | None
    seconds: float


@dataclass(slots=True)
class BreakerChanged(Event):
    """A circuit breaker changed its state.

    Args:
        provider: Whose circuit it is.
        from_state: The state before.
        to_state: The state from now on.
        cause: Why: `failures` in a row; the `failure_rate` of a window, `slow_calls` in it, or an `anomaly` among its
            last calls; `recovery_timeout` over, `all_open` (every circuit of the chain, so this one is tried
            nevertheless), `probe_failed`, `probes_succeeded`; `isolated`, `released` or `reset` by hand.
        count: How many failures, or slow calls, or how many probes succeeded; None for other causes.
        outcome: Outcome of the last failure, or `slow`; None where no failure was the cause.
        error_class: Class of the error of the last failure.
        open_for: How long an opened circuit lets no probe through, in seconds; None for other states.
        calls: Of how many calls in the window; None where failures in a row count.
    """

    kind: ClassVar[str] = "breaker"

    provider: str
    from_state: BreakerState
    to_state: BreakerState
    cause: BreakerCause
    count: int | None = None
    outcome: str | None = None
    error_class: str | None = None
    open_for: float | None = None
    calls: int | None = None


@dataclass(slots=True)
class BreakerWatched(Event):
    """From now on a circuit breaker of another library is watched.

    Args:
        provider: Whose circuit it is.
        library: The library that it is of.
        circuit: What the library calls it; None: it has no name there.
        state: The state that it was found in.
    """

    kind: ClassVar[str] = "breaker_watched"

    provider: str
    library: str
    circuit: str | None
    state: BreakerState


@dataclass(slots=True)
class CacheHit(Event):
    """An answer came from the cache.

    Args:
        provider: Who had given the answer.
        model: The model that was asked for.
        age: Seconds since it was kept; 0 for the answer to an equal call that was under way.
        similarity: How alike the request was that it had been given to; None: it was equal.
    """

    kind: ClassVar[str] = "cache_hit"

    provider: str
    model: str | None
    age: float = 0.0
    similarity: float | None = None


@dataclass(slots=True)
class CacheFailed(Event):
    """The cache could not do its work; the call went on without it.

    Args:
        operation: What failed: `find`, `nearest` or `put` of the store, or `embed`, the making of a vector.
        error: What went wrong.
    """

    kind: ClassVar[str] = "cache_failed"

    operation: str
    error: Exception


@dataclass(slots=True)
class StoreFailed(Event):
    """What processes share could not be asked for or told; the call went on without it, or was refused.

    Args:
        store: What is kept there: circuits (`breaker`), limits (`limiter`), refused `keys`, or `health`.
        operation: What it was asked for: `admit`, `record`, `acquire`, `release`, `look` and the like.
        refuses: Whether the call is refused for it, as the store was told.
        error: What went wrong.
    """

    kind: ClassVar[str] = "store_failed"

    store: StoreKind
    operation: str
    refuses: bool
    error: Exception


@dataclass(slots=True)
class BudgetRejected(Event):
    """A budget refused a call.

    Args:
        scope: The limit that stood in the way: `session`, `task`, `day`, `month`; `price` where the price is unknown.
        unit: What the amounts count.
        limit: The limit.
        spent: What was spent of it.
        reserved: What other calls had set aside of it.
        requested: What this call would have set aside.
        error: Why there is no price; None where the limit was the reason.
    """

    kind: ClassVar[str] = "budget_rejected"

    scope: str
    unit: BudgetUnit | None = None
    limit: Decimal | None = None
    spent: Decimal | None = None
    reserved: Decimal | None = None
    requested: Decimal | None = None
    error: Exception | None = None


@dataclass(slots=True)
class BudgetWarned(Event):
    """A budget tells something worth knowing, and refuses nothing.

    Args:
        scope: The limit it is about: `session`, `task`, `day`, `month`; `price` where the price is unknown, `ledger`
            where a charge could not be written.
        cause: What it tells: `threshold` reached; a call was `let_pass` although it may pass a limit that does not
            halt; a charge `passed` such a limit; a charge passed a limit that halts, because its reserve was
            `underestimated`; a call is `unpriced` and not counted; a charge is `unsettled` for now.
        unit: What the amounts count.
        limit: The limit.
        spent: What was spent of it, the charge included.
        reserved: What other calls had set aside of it; only for `let_pass`.
        requested: What this call sets aside; only for `let_pass`.
        percent: The share of the limit that is worth a warning, in percent; only for `threshold`.
        error: Why there is no price, or no charge yet.
    """

    kind: ClassVar[str] = "budget_warned"

    scope: str
    cause: BudgetWarning
    unit: BudgetUnit | None = None
    limit: Decimal | None = None
    spent: Decimal | None = None
    reserved: Decimal | None = None
    requested: Decimal | None = None
    percent: Decimal | None = None
    error: Exception | None = None
