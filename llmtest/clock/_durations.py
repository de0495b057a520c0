"""Spans of time as people write them: `250ms`, `90d`, `1h30m`."""

from __future__ import annotations

import re
from decimal import Decimal

__all__ = ["parse_duration"]

_UNITS = {"us": "0.000001", "ms": "0.001", "s": "1", "m": "60", "min": "60", "h": "3600", "d": "86400"}
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*([a-zA-Z]+)")


def parse_duration(value: object) -> float:
    """Return seconds.

    Args:
        value: `250ms`, `20s`, `5m`, `1h`, `2d`, or several in a row: `1h30m`. A plain `0` needs no unit.

    Raises:
        ValueError: Not a duration, or no unit.

    Example:
        >>> parse_duration("1h30m")
        5400.0
    """
    shown = f"`{str(value).lower() if isinstance(value, bool) else value}`"
    hint = "write a number with a unit: `250ms`, `20s`, `5m`, `1h`"
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"{shown} is not a duration; {hint}")  # noqa: TRY004 - pydantic collects ValueErrors
    text = str(value).strip()
    if text in {"0", "0.0"}:
        return 0.0
    if re.fullmatch(r"-?\d+(\.\d+)?", text):
        raise ValueError(f"{shown} has no unit; {hint}")
    total, position = Decimal(0), 0
    for part in _PART.finditer(text):
        gap = text[position : part.start()]
        unit = part[2]
        if gap.strip() or unit not in _UNITS:
            break
        total += Decimal(part[1]) * Decimal(_UNITS[unit])
        position = part.end()
    if position == 0 or text[position:].strip():
        unknown = re.fullmatch(r"\d+(?:\.\d+)?\s*([^\W\d]+)", text)
        cause = f"has the unknown unit `{unknown[1]}`" if unknown else "is not a duration"
        raise ValueError(f"{shown} {cause}; {hint}")
    return float(total)
