"""Numbers with units, as people write them in files: `250ms`, `400k`, `5/s`, `99.9%`, `$25.00`.

A duration without a unit is refused, because nobody can tell whether `5` means seconds or minutes. Only where a key
names its unit (`cooldown_secs`) does a plain number stand for a time.
"""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation

from llmtest.clock import parse_duration

__all__ = [
    "format_duration",
    "parse_count",
    "parse_duration",
    "parse_money",
    "parse_rate",
    "parse_seconds",
    "parse_share",
]

_COUNT = re.compile(r"(\d+(?:\.\d+)?)\s*([kKmM]?)")
_COUNT_UNITS = {"": 1, "k": 1_000, "m": 1_000_000}
_RATE = re.compile(r"(.+?)\s*/\s*([a-z]+)")
_RATE_UNITS = {"s": 1, "sec": 1, "second": 1, "m": 60, "min": 60, "minute": 60, "h": 3600, "hour": 3600}


def _shown(value: object) -> str:
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def parse_seconds(value: object) -> float:
    """Return seconds; a plain number counts as seconds. For keys that name their unit."""
    if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0:
        return float(value)
    if isinstance(value, str) and re.fullmatch(r"\d+(\.\d+)?", value.strip()):
        return float(value)
    return parse_duration(value)


def format_duration(seconds: float) -> str:
    """Return a duration the way files write it: `5m`, `1h`, `250ms`."""
    if 0 < seconds < 1:
        return f"{seconds * 1000:.9g}ms"
    for unit, size in (("h", 3600), ("m", 60)):
        if seconds and seconds % size == 0:
            return f"{seconds / size:.9g}{unit}"
    return f"{seconds:.9g}s"


def parse_count(value: object) -> int:
    """Return a whole number.

    Args:
        value: A number of 0 or more, or `400k`, `1.5M`.

    Raises:
        ValueError: Not a whole number.
    """
    match = None if isinstance(value, bool) else _COUNT.fullmatch(str(value).strip())
    number = Decimal(match[1]) * _COUNT_UNITS[match[2].lower()] if match else None
    if number is None or number != int(number):
        raise ValueError(f"{_shown(value)} is not a whole number; write `600`, `400k` or `1M`")
    return int(number)


def parse_rate(value: object) -> float:
    """Return events per second.

    Args:
        value: `5/s`, `600/min`, `100/h`.

    Raises:
        ValueError: Not a rate, or no unit.
    """
    hint = "write `5/s`, `600/min` or `100/h`"
    match = _RATE.fullmatch(str(value).strip())
    if not match:
        raise ValueError(f"{_shown(value)} is not a rate; {hint}")
    if match[2] not in _RATE_UNITS:
        raise ValueError(f"{_shown(value)} has the unknown unit `{match[2]}`; {hint}")
    count = _COUNT.fullmatch(match[1])
    if not count:
        raise ValueError(f"{_shown(value)} is not a rate; {hint}")
    return float(Decimal(count[1]) * _COUNT_UNITS[count[2].lower()] / _RATE_UNITS[match[2]])


def parse_money(value: object) -> Decimal:
    """Return US dollars.

    Args:
        value: `25.00` or `$25.00`, 0 or more.

    Raises:
        ValueError: Not an amount.
    """
    try:
        amount = Decimal(str(value).strip().removeprefix("$"))
    except InvalidOperation:
        amount = None
    if isinstance(value, bool) or amount is None or not amount.is_finite() or amount < 0:
        raise ValueError(f"{_shown(value)} is not an amount of US dollars; write `25.00`")
    if amount and not -40 <= amount.adjusted() <= 308:
        raise ValueError(f"{_shown(value)} is too {'large' if amount > 1 else 'small'} for US dollars; write `25.00`")
    return amount


def parse_share(value: object) -> float:
    """Return a share of 1.

    Args:
        value: `99.9%`, or a number from 0 to 1.

    Raises:
        ValueError: Not a share, or outside 0 to 1.
    """
    text = str(value).strip()
    try:
        share = float(Decimal(text[:-1].strip()) / 100) if text.endswith("%") else float(Decimal(text))
    except InvalidOperation:
        share = -1.0
    if isinstance(value, bool) or not 0.0 <= share <= 1.0:
        raise ValueError(f"{_shown(value)} is not a share; write a percentage such as `2%`, or a number from 0 to 1")
    return share
