"""What a budget says: refusals, and warnings in the trace, as facts."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from llmtest.costs._limits import Limit
from llmtest.costs._money import EXACT, ZERO, plain
from llmtest.costs._reservation import Charge
from llmtest.costs._store import Check, Overrun, Spent
from llmtest.errors import BudgetExceededError, ConfigurationError, UnknownPriceError
from llmtest.events import BudgetRejected, BudgetWarned, BudgetWarning, publish

if TYPE_CHECKING:
    from datetime import datetime

__all__ = [
    "Moment",
    "Warned",
    "refuse",
    "refuse_unpriced",
    "tell_passed",
    "tell_unpriced",
    "tell_waiting",
    "warn",
    "warnings_of",
]


class Moment(NamedTuple):
    """When something happened, in nanoseconds of the clock, and in which logical call (0 = none)."""

    at_ns: int
    call: int


class Warned(NamedTuple):
    """A limit that a charge passed, or came near; why that is told; what is spent of it now."""

    limit: Limit
    cause: BudgetWarning
    spent: Decimal


def refuse(overrun: Overrun, moment: Moment, resets_at: datetime | None) -> BudgetExceededError:
    """Tell the trace that a call is refused, and return the error to raise.

    Args:
        overrun: The limit, and the numbers.
        moment: When.
        resets_at: When the limit is whole again; None where that is no matter of time.
    """
    limit = overrun.limit
    publish(BudgetRejected(*moment, limit.scope, **_numbers(overrun)))
    return BudgetExceededError(
        scope=limit.scope,
        unit=limit.unit,
        limit=plain(limit.amount),
        spent=plain(overrun.spent),
        reserved=plain(overrun.reserved),
        requested=plain(overrun.requested),
        left=max(plain(EXACT.subtract(EXACT.subtract(limit.amount, overrun.spent), overrun.reserved)), ZERO),
        resets_at=resets_at,
    )


def refuse_unpriced(error: UnknownPriceError, moment: Moment) -> UnknownPriceError:
    """Tell the trace that a call without a price is refused, and return the error to raise."""
    publish(BudgetRejected(*moment, "price", error=error))
    return error


def tell_unpriced(error: UnknownPriceError, moment: Moment) -> None:
    """Tell the trace that a call without a price was let pass."""
    publish(BudgetWarned(*moment, "price", "unpriced", error=error))


def tell_waiting(trouble: ConfigurationError, moment: Moment) -> None:
    """Tell the trace that an entry waits, because the ledger cannot take it now."""
    publish(BudgetWarned(*moment, "ledger", "unsettled", error=trouble))


def tell_passed(overrun: Overrun, moment: Moment) -> None:
    """Tell the trace that a call was let pass over a limit that does not halt."""
    publish(BudgetWarned(*moment, overrun.limit.scope, "let_pass", **_numbers(overrun)))


def warnings_of(checks: tuple[Check, ...], spent: tuple[Spent, ...], charge: Charge) -> list[Warned]:
    """Return each limit that a charge took past its threshold, or past its end.

    Args:
        checks: The limits.
        spent: What their buckets have spent, the charge included.
        charge: The charge.
    """
    warnings: list[Warned] = []
    for limit, bucket in checks:
        tokens, usd = (charge.tokens, charge.usd) if bucket is None else spent[bucket]
        if limit.warn_percent is None and (usd if limit.unit == "usd" else tokens) <= limit.amount:
            continue
        new, added = (usd, charge.usd) if limit.unit == "usd" else (Decimal(tokens), Decimal(charge.tokens))
        if added and (cause := _cause(limit, EXACT.subtract(new, added), new)):
            warnings.append(Warned(limit, cause, new))
    return warnings


def warn(warnings: list[Warned], moment: Moment) -> None:
    """Tell the trace."""
    for limit, cause, spent in warnings:
        percent = limit.warn_percent if cause == "threshold" else None
        publish(BudgetWarned(*moment, limit.scope, cause, limit.unit, limit.amount, spent, percent=percent))


def _cause(limit: Limit, old: Decimal, new: Decimal) -> BudgetWarning | None:
    if new > limit.amount >= old:
        return "underestimated" if limit.halt else "passed"
    if limit.warn_percent is not None and new >= _threshold(limit.amount, limit.warn_percent) > old:
        return "threshold"
    return None


def _threshold(amount: Decimal, percent: Decimal) -> Decimal:
    return EXACT.multiply(amount, EXACT.scaleb(percent, -2))


def _numbers(overrun: Overrun) -> dict[str, Any]:
    """Return the facts that both events of an overrun tell."""
    limit = overrun.limit
    return {
        "unit": limit.unit,
        "limit": limit.amount,
        "spent": overrun.spent,
        "reserved": overrun.reserved,
        "requested": overrun.requested,
    }
