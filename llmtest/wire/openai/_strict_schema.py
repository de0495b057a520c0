"""What OpenAI wants of a JSON Schema that is to be kept strictly, with OpenAI's own complaints."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from llmtest.wire.openai._checks import refuse

__all__ = ["check_schema"]

Place = tuple[str, ...]
_ALL_REQUIRED = "'required' is required to be supplied and to be an array including every key in properties."


def check_schema(schema: object, of: str, param: str, code: str | None) -> None:
    """Check a schema: every object says all its properties to be required, and has no others.

    Args:
        schema: The schema.
        of: Whose it is, as the complaint says: `function 'search'`, `response_format 'City'`.
        param: Which field of the request holds it.
        code: Code of the refusal.

    Raises:
        WireFormatError: OpenAI would refuse it.
    """
    for place, problem in _problems(schema, ()):
        raise refuse(f"Invalid schema for {of}: In context={place!r}, {problem}", param, code)


def _problems(schema: object, place: Place) -> Iterator[tuple[Place, str]]:
    if not isinstance(schema, dict):
        return
    properties = schema.get("properties")
    if schema.get("type") == "object" or isinstance(properties, dict):
        if schema.get("additionalProperties") is not False:
            yield place, "'additionalProperties' is required to be supplied and to be false."
        names = properties if isinstance(properties, dict) else {}
        required = schema.get("required")
        missing = [name for name in names if not isinstance(required, list) or name not in required]
        if missing:
            yield place, f"{_ALL_REQUIRED} Missing '{missing[0]}'."
    for name, inner in _inner(schema):
        yield from _problems(inner, (*place, *name))


def _inner(schema: Mapping[str, Any]) -> Iterator[tuple[Place, object]]:
    for word in ("properties", "$defs", "definitions"):
        found = schema.get(word)
        for name, inner in found.items() if isinstance(found, dict) else ():
            yield (word, name), inner
    yield ("items",), schema.get("items")
    found = schema.get("anyOf")
    for number, inner in enumerate(found if isinstance(found, list) else ()):
        yield ("anyOf", str(number)), inner
