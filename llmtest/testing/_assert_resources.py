"""`assert_waited`, `assert_spend`: what it took, in virtual seconds and in dollars."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from llmtest.errors import ConfigurationError
from llmtest.events import Event, Trace, describe
from llmtest.testing._argument_checks import check_seconds, never_holds
from llmtest.testing._failure import dollars, failure

__all__ = ["check_spend", "check_waited", "usd"]


def check_waited(trace: Trace, elapsed: float, *, at_least: float | None = None, at_most: float | None = None) -> None:
    """Raise AssertionError unless the virtual time that passed is within the bounds."""
    __tracebackhide__ = True
    check_seconds("assert_waited", at_least, at_most)
    if at_least is not None and elapsed < at_least:
        raise failure(f"assert_waited: {elapsed:.9g} s passed, expected at least {at_least:.9g} s.", trace)
    if at_most is not None and elapsed > at_most:
        raise failure(f"assert_waited: {elapsed:.9g} s passed, expected at most {at_most:.9g} s.", trace)


def check_spend(
    trace: Trace,
    spent: Decimal,
    *,
    at_most: str | Decimal | None = None,
    at_least: str | Decimal | None = None,
) -> None:
    """Raise AssertionError unless the simulated spend is within the bounds, in USD."""
    __tracebackhide__ = True
    if at_least is None and at_most is None:
        raise ConfigurationError(
            'assert_spend was given no number, so it would accept anything.\nTo fix: assert_spend(at_most="0.05")'
        )
    least, most = usd(at_least, "at_least"), usd(at_most, "at_most")
    if least is not None and most is not None and least > most:
        raise never_holds("assert_spend", f'at_least="{least:f}"', f'at_most="{most:f}"')
    facts = [_entry(event) for event in trace if getattr(event, "billed", False)]
    if most is not None and spent > most:
        raise failure(
            f"assert_spend: {dollars(spent)} was spent, expected at most {dollars(most)}.", trace, facts=facts
        )
    if least is not None and spent < least:
        raise failure(
            f"assert_spend: {dollars(spent)} was spent, expected at least {dollars(least)}.", trace, facts=facts
        )


def _entry(event: Event) -> str:
    cost = getattr(event, "cost_usd", None)
    price = "price unknown" if cost is None else dollars(cost)
    return f"{describe(event)[0]}  {price}"


def usd(amount: str | Decimal | float | None, name: str) -> Decimal | None:
    """Return an amount as Decimal.

    Raises:
        ConfigurationError: It is no number, negative or not finite. A float is read as the digits it prints, as by
            every other limit on money.
    """
    if amount is None:
        return None
    try:
        found = Decimal("NaN" if isinstance(amount, bool) else str(amount))
    except InvalidOperation:
        found = Decimal("NaN")
    if not found.is_finite() or found < 0:
        raise ConfigurationError(f'{name}={amount!r} is no amount of USD.\nTo fix: {name}="0.05"')
    return found
