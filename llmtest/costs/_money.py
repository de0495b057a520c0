"""Exact money: decimal arithmetic that neither a caller's decimal context nor a million additions can round.

`Decimal` operators round to the precision of the thread's current context, which belongs to the application. Sums of
money go through a context of our own, wide enough for any sum of token prices, that raises if a digit would be lost.
"""

from __future__ import annotations

from decimal import Context, Decimal, DivisionByZero, Inexact, InvalidOperation, Overflow

from llmtest.errors import ConfigurationError

__all__ = ["EXACT", "ZERO", "Amount", "money", "optional_money", "plain"]

Amount = Decimal | int | str | float
"""Money as people write it: `"0.05"`, `Decimal("0.05")`, `25`, `0.05` (read as the digits it prints)."""

EXACT = Context(prec=80, traps=[Inexact, InvalidOperation, Overflow, DivisionByZero])
"""Context of all sums and products of money."""

ZERO = Decimal(0)


def money(value: Amount, name: str) -> Decimal:
    """Read an amount of money.

    Args:
        value: The amount; a float is read as the digits it prints, so that `0.1` is a tenth.
        name: What is being set, for the error's text.

    Raises:
        ConfigurationError: The amount is no number, negative, infinite or NaN.
    """
    if isinstance(value, bool) or not isinstance(value, Decimal | int | str | float):
        raise ConfigurationError(f"`{name}` must be a number, got {value!r}")
    try:
        amount = value if isinstance(value, Decimal) else Decimal(str(value).strip().removeprefix("$"))
    except InvalidOperation:
        raise ConfigurationError(f'`{name}` must be a number such as "0.05", got {value!r}') from None
    if not amount.is_finite() or amount < 0:
        raise ConfigurationError(f"`{name}` must be finite and 0 or more, got {value!r}")
    return amount.copy_abs()


def optional_money(value: Amount | None, name: str) -> Decimal | None:
    """Read an amount of money; None stays None."""
    return None if value is None else money(value, name)


def plain(amount: Decimal) -> Decimal:
    """Return the same amount without trailing zeros and without an exponent, fit for reading: 0.0035, 25."""
    short = EXACT.normalize(amount)
    exponent = short.as_tuple().exponent
    return EXACT.quantize(short, Decimal(1)) if isinstance(exponent, int) and exponent > 0 else short
