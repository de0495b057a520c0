"""Field types of the file formats: each reads what people write, refuses the rest with a reason, has a JSON Schema."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

from llmtest.config._units import (
    parse_count,
    parse_duration,
    parse_money,
    parse_rate,
    parse_seconds,
    parse_share,
)

__all__ = [
    "Count",
    "Duration",
    "Flag",
    "Milliseconds",
    "Money",
    "Percent",
    "Positive",
    "Rate",
    "Real",
    "Seconds",
    "Share",
    "Temperature",
    "Text",
]

_DURATION = {"type": "string", "pattern": r"^(\d+(\.\d+)?\s*(us|ms|s|m|min|h|d)\s*)+$", "examples": ["250ms", "5m"]}
_COUNT = {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": r"^\d+(\.\d+)?\s*[kKmM]?$"}]}
_NUMBER = {"type": "number", "minimum": 0}


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"`{_plain(value)}` is not a text; put it in quotes" if value else "must not be empty")
    return value


def _plain(value: Any) -> str:
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)


def _flag(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if value in ("true", "false"):  # From an environment variable.
        return bool(value == "true")
    raise ValueError(f"`{value}` is neither `true` nor `false`")


def _positive(value: Any) -> int:
    number = parse_count(value)
    if number < 1:
        raise ValueError(f"`{value}` is below 1")
    return number


def _real(value: Any) -> float:
    try:
        number = float("nan") if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        number = float("nan")
    if not 0 <= number < float("inf"):
        raise ValueError(f"`{_plain(value)}` is not a number of 0 or more")
    return number


def _milliseconds(value: Any) -> float:
    return parse_duration(value) if isinstance(value, str) and not value.strip().isdecimal() else _real(value) / 1000


def _percent(value: Any) -> float:
    try:
        number = _real(value)
    except ValueError:
        number = 0.0
    if not 0 < number <= 100:
        raise ValueError(f"`{_plain(value)}` is not a number above 0 and up to 100; write `80`")
    return number


def _temperature(value: Any) -> float:
    try:
        number = _real(value)
    except ValueError:
        number = 3.0
    if number > 2:
        raise ValueError(f"`{_plain(value)}` is not a temperature; write a number from 0 to 2")
    return number


Temperature = Annotated[
    float, BeforeValidator(_temperature), WithJsonSchema({"type": "number", "minimum": 0, "maximum": 2})
]
"""A temperature, from 0 to 2."""
Text = Annotated[str, BeforeValidator(_text), WithJsonSchema({"type": "string", "minLength": 1})]
"""A text that is not empty."""
Flag = Annotated[bool, BeforeValidator(_flag), WithJsonSchema({"type": "boolean"})]
"""`true` or `false`."""
Duration = Annotated[float, BeforeValidator(parse_duration), WithJsonSchema({"anyOf": [_DURATION, {"const": 0}]})]
"""A time with its unit: `250ms`, `20s`, `5m`, `1h`."""
Seconds = Annotated[float, BeforeValidator(parse_seconds), WithJsonSchema({"anyOf": [_DURATION, _NUMBER]})]
"""A time whose key names the unit, so that a plain number means seconds."""
Milliseconds = Annotated[float, BeforeValidator(_milliseconds), WithJsonSchema({"anyOf": [_DURATION, _NUMBER]})]
"""A time whose key names the unit, so that a plain number means milliseconds; in seconds."""
Count = Annotated[int, BeforeValidator(parse_count), WithJsonSchema(_COUNT)]
"""A whole number: `600`, `400k`."""
Positive = Annotated[int, BeforeValidator(_positive), WithJsonSchema(_COUNT)]
"""A whole number of 1 or more."""
Real = Annotated[float, BeforeValidator(_real), WithJsonSchema(_NUMBER)]
"""A number of 0 or more."""
Percent = Annotated[
    float, BeforeValidator(_percent), WithJsonSchema({"type": "number", "exclusiveMinimum": 0, "maximum": 100})
]
"""A number of percent, above 0."""
Rate = Annotated[
    float,
    BeforeValidator(parse_rate),
    WithJsonSchema({"type": "string", "pattern": r"^\d+(\.\d+)?\s*[kKmM]?\s*/\s*[a-z]+$", "examples": ["5/s"]}),
]
"""Events per second, written `5/s` or `600/min`."""
Money = Annotated[
    Decimal,
    BeforeValidator(parse_money),
    WithJsonSchema({"anyOf": [_NUMBER, {"type": "string", "pattern": r"^\$?\d+(\.\d+)?$"}]}),
]
"""US dollars."""
Share = Annotated[
    float,
    BeforeValidator(parse_share),
    WithJsonSchema(
        {"anyOf": [{"type": "number", "minimum": 0, "maximum": 1}, {"type": "string", "pattern": r"^\d+(\.\d+)?\s*%$"}]}
    ),
]
"""A share of 1: `2%`, `0.02`."""
