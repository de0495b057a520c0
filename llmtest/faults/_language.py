"""A fault as scenario files and scripts write it: `rate_limited`, or `{rate_limited: {retry_after: 20s}}`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import MISSING, Field, fields
from difflib import get_close_matches
from typing import Any

from llmtest.errors import ConfigurationError
from llmtest.faults._fault import FAULTS, Fault
from llmtest.faults._retry_after import WORDS, is_date

__all__ = ["fault_from", "fault_schema"]

TIMES = frozenset({"keep_alive", "retry_after", "seconds"})
"""Arguments that are times, whatever fault has them."""
PLACES = frozenset({"at", "drop", "repeat"})
"""Arguments that number an event, from -1 backwards as well."""
STAGES = ("abort", "body", "latency", "stream", "wire")


def fault_from(value: Any, *, seconds: Callable[[object], float], count: Callable[[object], int]) -> Fault:
    """Make the fault that a value of a file stands for.

    Args:
        value: A name, or a mapping of one name to its arguments.
        seconds: Reads a time of the file (`20s`).
        count: Reads a whole number of the file (`400k`).

    Raises:
        ValueError: There is no such fault, it has no such argument, or an argument makes no sense.
    """
    if isinstance(value, str):
        value = {value: {}}
    if not isinstance(value, dict) or len(value) != 1:
        raise ValueError("must be one fault, such as `{server_error: {status: 503}}`")
    ((name, given),) = value.items()
    if name not in FAULTS:
        # In the order in which an answer goes through its stages.
        names = sorted(FAULTS, key=lambda each: STAGES.index(FAULTS[each].stage))
        raise ValueError(f"unknown fault `{name}`.{_near(str(name), names)}{_listed('faults', names)}")
    kind = FAULTS[name]
    known = arguments_of(kind)
    given = {} if given is None else given
    if not isinstance(given, dict):
        raise ValueError(f"the arguments of `{name}` must be a mapping, such as `{{{name}: {{...}}}}`")  # noqa: TRY004 - pydantic collects ValueErrors
    arguments = {}
    for key, argument in given.items():
        if key not in known:
            raise ValueError(f"unknown key `{key}` in `{name}`.{_near(str(key), list(known))}{_listed('keys', known)}")
        arguments[key] = _argument(known[key], argument, seconds=seconds, count=count)
    missing = [each.name for each in known.values() if each.default is MISSING and each.name not in arguments]
    if missing:
        raise ValueError(f"`{name}` needs `{'`, `'.join(missing)}`")
    try:
        return kind(**arguments)
    except ConfigurationError as error:
        raise ValueError(str(error).partition("\n")[0]) from None


def arguments_of(kind: type[Fault]) -> dict[str, Field[Any]]:
    """Return the arguments of a fault: its own, then what every fault has."""
    return {each.name: each for each in sorted(fields(kind), key=lambda each: bool(each.kw_only))}


def _argument(
    field: Field[Any], value: Any, *, seconds: Callable[[object], float], count: Callable[[object], int]
) -> Any:
    if value is None:
        return None
    if field.name == "error":
        return fault_from(value, seconds=seconds, count=count)
    if field.name in TIMES:
        return value if isinstance(value, str) and (value in WORDS or is_date(value)) else seconds(value)
    if field.name == "before" and isinstance(value, str):
        return value.encode()
    if field.name in PLACES:
        return value
    return count(value) if str(field.type).startswith("int") else value


def _near(word: str, choices: Sequence[str]) -> str:
    found = get_close_matches(word.lower().replace("-", "_"), choices, n=1, cutoff=0.6)
    return f" Did you mean `{found[0]}`?" if found else ""


def _listed(noun: str, choices: Any) -> str:
    return f"\nKnown {noun}: {', '.join(choices)}."


def fault_schema() -> dict[str, Any]:
    """Return the JSON Schema of a fault in a file."""
    forms: list[dict[str, Any]] = [{"enum": sorted(FAULTS)}]
    for name in sorted(FAULTS):
        keys: dict[str, Any] = {key: {} for key in arguments_of(FAULTS[name])}
        inner = {"type": ["object", "null"], "properties": keys, "additionalProperties": False}
        forms.append({"type": "object", "properties": {name: inner}, "required": [name], "additionalProperties": False})
    return {"anyOf": forms}
