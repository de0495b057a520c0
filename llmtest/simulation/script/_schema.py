"""JSON Schema, as far as generated answers need it: references, branches, and whether a value is valid.

What providers accept for structured output is a small part of JSON Schema, what tools declare is more of it. Known are
types, `enum`, `const`, `$ref` within the document, `allOf`, `anyOf`, `oneOf`, `not`, `if`, and every keyword of
numbers, texts, arrays and objects but the `unevaluated` ones. Dialects differ a little: OpenAPI's `nullable` and
Gemini's types in capitals are read as well.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote

__all__ = ["SHAPES", "SchemaError", "is_valid", "matches", "resolve", "same", "types_of"]

TYPES = ("object", "array", "string", "integer", "number", "boolean", "null")


class SchemaError(ValueError):
    """No value can be made for a schema; the text says why and where."""


_DATE, _TIME = r"\d{4}-\d\d-\d\d", r"\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)"
SHAPES = {
    name: re.compile(pattern, re.IGNORECASE)
    for name, pattern in {
        "date": _DATE,
        "date-time": f"{_DATE}[T ]{_TIME}",
        "time": _TIME,
        "email": r"[^\s@]+@[^\s@]+",
        "ipv4": r"\d{1,3}(\.\d{1,3}){3}",
        "ipv6": r"[0-9a-f:.]*:[0-9a-f:.]*",
        "uri": r"[a-z][a-z\d+.-]*:\S*",
        "uuid": r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    }.items()
}
"""What a text of each format looks like, as far as it takes to tell one format from another."""


def resolve(root: Any, reference: str) -> Any:
    """Return what a `$ref` within the document points to.

    Raises:
        SchemaError: It points elsewhere, or to nothing.
    """
    if not reference.startswith("#"):
        raise SchemaError(f"`$ref` {reference!r} points outside the schema")
    found = root
    for step in reference[1:].split("/")[1:]:
        name = unquote(step).replace("~1", "/").replace("~0", "~")
        if isinstance(found, list) and name.isdigit() and int(name) < len(found):
            found = found[int(name)]
        elif isinstance(found, Mapping) and name in found:
            found = found[name]
        else:
            raise SchemaError(f"`$ref` {reference!r} points to nothing in the schema")
    return found


def types_of(schema: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the types a schema allows by its `type`, in its order; all where it names none."""
    given = schema.get("type")
    if given is None:
        return TYPES
    found = [str(each).lower() for each in (given if isinstance(given, list) else [given])]
    if schema.get("nullable") is True and "null" not in found:
        found.append("null")
    unknown = next((each for each in found if each not in TYPES), None)
    if unknown is not None:
        raise SchemaError(f"there is no type `{unknown}`; the types are {', '.join(TYPES)}")
    return tuple(found)


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    if isinstance(value, float):
        return "integer" if value.is_integer() else "number"
    return "string" if isinstance(value, str) else "array" if isinstance(value, list) else "object"


def same(one: Any, other: Any) -> bool:
    """Tell whether two values are equal as JSON: 1 is 1.0, and neither is true."""
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(value, other[name]) for name, value in one.items())
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def is_valid(schema: Any, value: Any, root: Any) -> bool:
    """Tell whether a value is valid against a schema.

    Args:
        schema: The schema, or a part of it.
        value: The value.
        root: The whole document, for references.

    Raises:
        SchemaError: The schema cannot be read.
    """
    if not isinstance(schema, Mapping):
        return schema is not False  # What is no schema, such as a text, says nothing.
    kind = _kind(value)
    allowed = types_of(schema)
    return (
        (kind in allowed or (kind == "integer" and "number" in allowed))
        and ("const" not in schema or same(value, schema["const"]))
        and ("enum" not in schema or any(same(value, each) for each in schema["enum"]))
        and _combines(schema, value, root)
        and (kind not in _OWN_CHECKS or _OWN_CHECKS[kind](schema, value, root))
    )


def _combines(schema: Mapping[str, Any], value: Any, root: Any) -> bool:
    """Check the keywords that hold other schemas for the same value."""
    demanded = list(schema.get("allOf", ()))
    if "$ref" in schema:
        demanded.append(resolve(root, schema["$ref"]))
    if "if" in schema:
        demanded.append(schema.get("then" if is_valid(schema["if"], value, root) else "else", True))
    return (
        all(is_valid(each, value, root) for each in demanded)
        and ("anyOf" not in schema or any(is_valid(each, value, root) for each in schema["anyOf"]))
        and ("oneOf" not in schema or sum(is_valid(each, value, root) for each in schema["oneOf"]) == 1)
        and ("not" not in schema or not is_valid(schema["not"], value, root))
    )


def _is_text(schema: Mapping[str, Any], value: str, _root: Any) -> bool:
    if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", math.inf):
        return False
    shape = SHAPES.get(str(schema.get("format", "")).lower())
    if shape is not None and not shape.fullmatch(value):
        return False
    return "pattern" not in schema or matches(schema["pattern"], value)


def matches(pattern: str, text: str) -> bool:
    """Tell whether a pattern is found in a text.

    Raises:
        SchemaError: It is no pattern that Python can read.
    """
    try:
        return re.search(pattern, text) is not None
    except re.error as error:
        raise SchemaError(f"the pattern {pattern!r} cannot be read: {error}") from None


def _is_number(schema: Mapping[str, Any], value: float, _root: Any) -> bool:
    if not schema.get("minimum", -math.inf) <= value <= schema.get("maximum", math.inf):
        return False
    low, high = schema.get("exclusiveMinimum", -math.inf), schema.get("exclusiveMaximum", math.inf)
    if not low < value < high:
        return False
    step = schema.get("multipleOf")
    if step is None:
        return True
    if isinstance(value, int) and isinstance(step, int):
        return value % step == 0
    return float(value / step).is_integer()


def _is_array(schema: Mapping[str, Any], value: list[Any], root: Any) -> bool:
    if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", math.inf):
        return False
    first = schema.get("prefixItems", ())
    if not all(is_valid(part, each, root) for part, each in zip(first, value, strict=False)):
        return False
    if not all(is_valid(schema.get("items", True), each, root) for each in value[len(first) :]):
        return False
    if schema.get("uniqueItems") is True and any(
        same(one, other) for index, one in enumerate(value) for other in value[:index]
    ):
        return False
    if "contains" not in schema:
        return True
    found = sum(is_valid(schema["contains"], each, root) for each in value)
    return bool(schema.get("minContains", 1) <= found <= schema.get("maxContains", math.inf))


def _is_object(schema: Mapping[str, Any], value: dict[str, Any], root: Any) -> bool:
    if not schema.get("minProperties", 0) <= len(value) <= schema.get("maxProperties", math.inf):
        return False
    if any(name not in value for name in schema.get("required", ())):
        return False
    known, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    for name, each in value.items():
        parts = [part for pattern, part in patterns.items() if matches(pattern, name)]
        if name in known:
            parts.append(known[name])
        if not all(is_valid(part, each, root) for part in parts or [schema.get("additionalProperties", True)]):
            return False
        if not is_valid(schema.get("propertyNames", True), name, root):
            return False
    for name, needed in schema.get("dependentRequired", {}).items():
        if name in value and any(other not in value for other in needed):
            return False
    return all(
        name not in value or is_valid(part, value, root) for name, part in schema.get("dependentSchemas", {}).items()
    )


_OWN_CHECKS: Mapping[str, Callable[[Mapping[str, Any], Any, Any], bool]] = {
    "string": _is_text,
    "integer": _is_number,
    "number": _is_number,
    "array": _is_array,
    "object": _is_object,
}
"""What is checked of each type beside what is checked of all."""
