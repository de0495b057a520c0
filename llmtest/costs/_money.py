"""Exact money: decimal arithmetic that neither a caller's decimal context nor a million additions can round.

`Decimal` operators round to the precision of the thread's current context, which belongs to the application. Sums of
money go through a context of our own, wide enough for any sum of token prices, that raises if a digit would be lost.
"""

from __future__ import annotations

from decimal import Context, Decimal, DivisionByZero, Inexact, InvalidOperation, Overflow

from llmtest.errors import ConfigurationError

__all__ = ["EXACT", "ZERO", "Amount", "is_summable", "money", "optional_money", "plain", "shown"]

Amount = Decimal | int | str | float
"""Money as people write it: `"0.05"`, `Decimal("0.05")`, `25`, `0.05` (read as the digits it prints)."""

EXACT = Context(prec=500, traps=[Inexact, InvalidOperation, Overflow, DivisionByZero])
"""Context of all sums and products of money."""

ZERO = Decimal(0)
LARGEST = 308
"""Power of ten that no amount reaches the next of: a float's, so that its largest may stand for "no limit"."""
FINEST = 40
"""Most decimals of an amount. Sums and products of two amounts of this size fit in the context."""
LEAST_SUMMABLE = -2 * FINEST
"""Power of ten of the first digit of the smallest product of two of them."""


def money(value: Amount, name: str) -> Decimal:
    """Read an amount of money.

    Args:
        value: The amount; a float is read as the digits it prints, so that `0.1` is a tenth.
        name: What is being set, for the error's text.

    Raises:
        ConfigurationError: The amount is no number, negative, infinite, NaN, or has more digits than can be summed.
    """
    if type(value) is Decimal:
        amount = value
    elif isinstance(value, bool) or not isinstance(value, Decimal | int | str | float):
        raise ConfigurationError(f"`{name}` must be a number, got {value!r}")
    else:
        try:
            amount = Decimal(value if isinstance(value, Decimal | int) else str(value).strip().removeprefix("$"))
        except InvalidOperation:
            raise ConfigurationError(f'`{name}` must be a number such as "0.05", got {value!r}') from None
    if not amount.is_finite() or amount < ZERO:
        raise ConfigurationError(f"`{name}` must be finite and 0 or more, got {value!r}")
    exponent = amount.as_tuple()[2]
    if type(exponent) is int and (exponent < -FINEST or amount.adjusted() > LARGEST):
        raise ConfigurationError(f"`{name}` must be below 1e{LARGEST + 1}, and have at most {FINEST} decimals")
    return amount.copy_abs()


def is_summable(amount: Decimal) -> bool:
    """Tell whether an amount that a price list has worked out can be added to others as it is.

    A product of two amounts has more decimals than either may have, and the context has room for them.
    """
    return amount.is_finite() and not amount.is_signed() and LEAST_SUMMABLE <= amount.adjusted() <= LARGEST


def optional_money(value: Amount | None, name: str) -> Decimal | None:
    """Read an amount of money; None stays None."""
    return None if value is None else money(value, name)


def plain(amount: Decimal) -> Decimal:
    """Return the same amount without trailing zeros."""
    return EXACT.normalize(amount)


def shown(amount: Decimal) -> str:
    """Return an amount as it is read: 0.0035, 25, 0.00000025."""
    return f"{plain(amount):f}"
