"""The JSON Schema of event files, and the reference of their fields, both made of the classes of events.

`events.schema.json` beside this file is the schema:
`python -m llmtest.reporting._event_schema > llmtest/reporting/events.schema.json`. It describes one line; with the
argument `reference` the command prints the tables of `docs/reference/events.md`.
"""

from __future__ import annotations

import inspect
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import is_dataclass
from decimal import Decimal
from typing import Any, Literal, get_args, get_origin

from llmtest.events import COUNTS, EVENTS, LABELS, Fact, Returned, facts_in
from llmtest.reporting._event_file import EVENT_SCHEMA, RunHeader
from llmtest.types import Attempt, Usage

__all__ = ["event_reference", "event_schema"]

ARGUMENT = re.compile(r"^    (\w+): ")
PLAIN = {int: "integer", float: "number", str: "string", bool: "boolean"}
WORDS = {int: "whole number", float: "number", str: "text", bool: "true or false"}
ERROR = {
    "type": "object",
    "description": "An error: its class, its text, and the HTTP status it came with.",
    "properties": {
        "class": {"type": "string"},
        "message": {"type": "string"},
        "status": {"type": ["integer", "null"]},
    },
    "required": ["class", "message", "status"],
    "additionalProperties": False,
}
NAMES = {"type": "array", "items": {"type": "string"}}


def event_schema() -> dict[str, Any]:
    """Return the JSON Schema of a line of an event file."""
    kinds = {cls.kind: _object(cls, kind=cls.kind) for cls in EVENTS}
    objects = {"Attempt": _object(Attempt), "Usage": _object(Usage), "Returned": _object(Returned), "Error": ERROR}
    lines = {"header": _header(), **kinds, "end": _end()}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"a line of an llmtest event file, schema {EVENT_SCHEMA}",
        "description": "The first line is a header, the last one an end; the others are events, in order.",
        "oneOf": [{"$ref": f"#/$defs/{name}"} for name in lines],
        "$defs": {**lines, **objects},
    }


def _header() -> dict[str, Any]:
    schema = {"kind": {"const": "header"}, "schema": {"const": EVENT_SCHEMA}}
    shapes: dict[str, dict[str, Any]] = {
        "scenario": {"type": ["string", "null"]},
        "seed": {"type": ["integer", "null"]},
        "file": {"type": ["string", "null"]},
        "providers": NAMES,
        "circuits": {"type": "boolean"},
        "faults": NAMES,
        "inferred": {"type": "boolean"},
    }
    texts = _texts(RunHeader)
    described = {name: {"description": texts[name], **shape} for name, shape in shapes.items()}
    return _closed("What ran: the first line.", {**schema, **described}, ["kind", "schema"])


def _end() -> dict[str, Any]:
    text = "When the run was over, counted from the clock's start in nanoseconds."
    properties = {"kind": {"const": "end"}, "at_ns": {"description": text, "type": "integer"}}
    return _closed("The run is over: the last line.", properties, ["kind", "at_ns"])


def _object(cls: Any, kind: str | None = None) -> dict[str, Any]:
    facts, texts = facts_in(cls), _texts(cls)
    properties: dict[str, Any] = {} if kind is None else {"kind": {"const": kind}}
    for fact in facts:
        properties[fact.name] = {"description": texts[fact.name], **_shape(fact)}
    required = [] if kind is None else ["kind"]
    return _closed(_summary(cls), properties, [*required, *(fact.name for fact in facts if fact.required)])


def _closed(text: str, properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    return {
        "type": "object",
        "description": text,
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


def _shape(fact: Fact) -> dict[str, Any]:
    """Return the schema of one field's value."""
    kind = fact.type
    if kind in PLAIN:
        return {"type": [PLAIN[kind], "null"] if fact.optional else PLAIN[kind]}
    if get_origin(kind) is Literal:
        return {"enum": [*get_args(kind), None] if fact.optional else list(get_args(kind))}
    if kind is Decimal:
        return {"type": ["string", "null"] if fact.optional else "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$"}
    if kind == COUNTS:
        return {"type": "object", "additionalProperties": {"type": "integer"}}
    if kind == LABELS:
        return {"type": "object", "additionalProperties": {"type": "string"}}
    reference = {"$ref": f"#/$defs/{getattr(kind, '__name__', '') if is_dataclass(kind) else 'Error'}"}
    return {"anyOf": [reference, {"type": "null"}]} if fact.optional else reference


def _summary(cls: type) -> str:
    return (inspect.getdoc(cls) or "").partition("\n\n")[0].replace("\n", " ")


def _texts(cls: type) -> dict[str, str]:
    """Return what the docstrings of a class, and of those it is derived from, say of each field."""
    found: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        name = None
        for line in (base.__doc__ and inspect.cleandoc(base.__doc__).splitlines()) or ():
            argument = ARGUMENT.match(line)
            if argument is not None:
                name = argument[1]
                found[name] = line[argument.end() :].strip()
            elif name is not None and line.startswith("        "):
                found[name] += f" {line.strip()}"
            else:
                name = None
    return found


def event_reference() -> str:
    """Return the tables of every event's fields, for the documentation."""
    return "\n".join(_reference())


def _reference() -> Iterator[str]:
    classes: tuple[Any, ...] = EVENTS
    yield from _table("Every event", "", facts_in(classes[0])[:2], _texts(classes[0]))
    for cls in classes:
        yield from _table(f"`{cls.kind}`", f"`{cls.__name__}`. {_summary(cls)}", facts_in(cls)[2:], _texts(cls))
    objects: tuple[Any, ...] = (Attempt, Usage, Returned)
    for inner in objects:
        yield from _table(f"Objects: `{inner.__name__}`", _summary(inner), facts_in(inner), _texts(inner))


def _table(title: str, text: str, facts: tuple[Fact, ...], texts: dict[str, str]) -> Iterator[str]:
    yield f"### {title}\n"
    if text:
        yield f"{text}\n"
    yield "| field | meaning | type | unit |"
    yield "|---|---|---|---|"
    for fact in facts:
        yield f"| `{fact.name}` | {texts[fact.name]} | {_type(fact)} | {_unit(fact)} |"
    yield ""


def _type(fact: Fact) -> str:
    kind = fact.type
    if get_origin(kind) is Literal:
        words = ", ".join(f"`{word}`" for word in get_args(kind))
    elif kind == COUNTS:
        words = "object of whole numbers"
    elif kind == LABELS:
        words = "object of texts"
    elif is_dataclass(kind):
        words = f"object `{getattr(kind, '__name__', '')}`"
    else:
        words = {**WORDS, Decimal: "amount, as text"}.get(kind, "error")
    return f"{words}, or null" if fact.optional else words


def _unit(fact: Fact) -> str:
    if fact.name.endswith("_ns"):
        return "ns"
    if fact.name.endswith("_usd"):
        return "USD"
    if fact.name.endswith("_tokens"):
        return "tokens"
    if fact.name == "percent":
        return "%"
    if fact.type is Decimal:
        return "as `unit` says"
    return "s" if fact.type is float else ""


if __name__ == "__main__":
    if sys.argv[1:] == ["reference"]:
        print(event_reference(), end="")  # noqa: T201 - this is the command
    else:
        print(json.dumps(event_schema(), indent=2, ensure_ascii=False))  # noqa: T201 - this is the command
