"""Several schemas for one value, made into one: what `allOf`, and a `$ref` with something beside it, mean together."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from llmtest.simulation.script._schema import SchemaError, same, types_of

__all__ = ["merge", "plain"]


def plain(schema: Any) -> dict[str, Any]:
    """Return a schema in the form that `merge` takes: a mapping, its types a tuple, its constant an `enum` of one.

    What is no schema at all, such as a text in the samples of an SDK, says nothing about a value.

    Raises:
        SchemaError: Nothing is valid against it.
    """
    if schema is False:
        raise SchemaError("nothing is valid against the schema `false`")
    found: dict[str, Any] = dict(schema) if isinstance(schema, Mapping) else {}
    if "type" in found:
        found["type"] = types_of(found)
    found.pop("nullable", None)
    if "const" in found:
        constant = found.pop("const")
        found["enum"] = [constant] if "enum" not in found else _common(found["enum"], [constant])
    for name in ("anyOf", "oneOf"):
        if name in found:
            found[name] = [found[name]]
    if "not" in found:
        found["nots"] = [found.pop("not")]
    if "if" in found:
        found["conditions"] = [(found.pop("if"), found.pop("then", True), found.pop("else", True))]
    return found


def _common(one: list[Any], other: list[Any]) -> list[Any]:
    return [value for value in one if any(same(value, each) for each in other)]


def _common_types(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    """Return the types that both allow; every integer is a number."""
    found = [each for each in one if each in other or (each == "integer" and "number" in other)]
    if "number" in one and "integer" in other and "integer" not in found:
        found.append("integer")
    if not found:
        raise SchemaError(f"a value cannot be {' or '.join(one)} and {' or '.join(other)} at once")
    return tuple(found)


def _together(one: Any, other: Any) -> Any:
    """Return the schema that demands both."""
    if one is False or other is False:
        return False
    return other if one is True else one if other is True else {"allOf": [one, other]}


def _by_name(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    theirs = {name: part for name, part in other.items() if name not in one}
    return {name: _together(part, other.get(name, True)) for name, part in one.items()} | theirs


def _in_order(one: list[Any], other: list[Any]) -> list[Any]:
    shared = [_together(first, second) for first, second in zip(one, other, strict=False)]
    return shared + one[len(shared) :] + other[len(shared) :]


def _common_multiple(one: float, other: float) -> float:
    if isinstance(one, int) and isinstance(other, int):
        return math.lcm(one, other)
    return max(one, other)


def _common_format(one: str, other: str) -> str:
    if one != other:
        raise SchemaError(f"a text cannot be in the formats `{one}` and `{other}` at once")
    return one


def _all(one: list[Any], other: list[Any]) -> list[Any]:
    return [*one, *other]


COMBINED: Mapping[str, Callable[[Any, Any], Any]] = {
    "type": _common_types,
    "enum": _common,
    "format": _common_format,
    "multipleOf": _common_multiple,
    "required": lambda one, other: [*one, *(name for name in other if name not in one)],
    "dependentRequired": lambda one, other: {**other, **one},
    "prefixItems": _in_order,
    "uniqueItems": lambda one, other: one or other,
    **dict.fromkeys(("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties", "maxContains"), min),
    **dict.fromkeys(("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties", "minContains"), max),
    **dict.fromkeys(("items", "additionalProperties", "propertyNames", "contains"), _together),
    **dict.fromkeys(("properties", "patternProperties", "dependentSchemas"), _by_name),
    **dict.fromkeys(("anyOf", "oneOf", "allOf", "conditions", "nots"), _all),
}
"""What each keyword means that both have; of any other (a pattern, a format) the first one's is taken."""


def merge(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema of what is valid against both, as far as it can be said in one.

    What cannot (two patterns, a closed object beside another's properties) is left to the check of the value.

    Raises:
        SchemaError: Nothing is.
    """
    found = {**other, **one}
    for name in [name for name in one if name in other and name in COMBINED]:
        found[name] = COMBINED[name](one[name], other[name])
    return found
