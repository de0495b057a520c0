"""Sections of a file, and what is said when one is wrong: the place, the value, the nearest valid thing.

pydantic checks; its errors are retold here in the words of the file's author, with the line of the value.
"""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from llmtest.config._document import Document, Location
from llmtest.config._nearest import did_you_mean, known
from llmtest.errors import ScenarioError

__all__ = ["Section", "one_of", "show_location", "validate"]

S = TypeVar("S", bound="Section")


class Section(BaseModel):
    """A mapping with a fixed set of keys."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, populate_by_name=False, arbitrary_types_allowed=True, use_attribute_docstrings=True
    )

    @classmethod
    def keys(cls) -> list[str]:
        """Return the keys this section may have, as files write them."""
        return [field.alias or name for name, field in cls.model_fields.items()]

    @model_validator(mode="before")
    @classmethod
    def _know_every_key(cls, value: Any) -> Any:
        """Refuse unknown keys before anything else: a misspelt key explains the one that seems to be missing."""
        if isinstance(value, cls):
            return value
        if not isinstance(value, dict):
            raise PydanticCustomError("not_a_mapping", "must be a mapping with the keys {keys}", {"keys": _list(cls)})
        keys = cls.keys()
        for key in value:
            if key not in keys:
                raise PydanticCustomError("unknown_key", "", {"key": str(key), "known": keys})
        return value


def _list(section: type[Section]) -> str:
    return ", ".join(f"`{key}`" for key in section.keys())  # noqa: SIM118 - a class, not a mapping


def one_of(noun: str, value: object, choices: list[str]) -> str:
    """Return the text for a value that is none of the known ones."""
    return f"unknown {noun} `{value}`.{did_you_mean(str(value), choices)}{known(noun + 's', choices)}"


def show_location(location: Location) -> str:
    """Return a location as people write it: `chain.providers[1].trigger`."""
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def validate(section: type[S], document: Document, at: Location = ()) -> S:
    """Check the document, or the part of it at a location, and return it as a section.

    Raises:
        ScenarioError: The first thing in the file that is wrong, and how many more there are.
    """
    value = document.data
    for part in at:
        value = value[part]
    try:
        return section.model_validate(value)
    except ValidationError as error:
        findings = [_finding(document, at, entry) for entry in error.errors(include_url=False)]
    findings.sort(key=lambda finding: (finding.line or 0, finding.message.endswith("is missing.")))
    first, more = findings[0], len(findings) - 1
    if more:
        tail = f"\n({more} more {'error' if more == 1 else 'errors'} in this file.)"
        raise ScenarioError(first.message + tail, path=first.path, line=first.line)
    raise first


def _finding(document: Document, at: Location, entry: Any) -> ScenarioError:
    location: Location = (*at, *_real_parts(document, at, entry["loc"]))
    place = show_location(location)
    context = entry.get("ctx", {})
    match entry["type"]:
        case "unknown_key":
            where = f" in `{place}`" if place else ""
            text = f"unknown key `{context['key']}`{where}.{did_you_mean(context['key'], context['known'])}"
            return document.error((*location, context["key"]), text + known("keys", context["known"]))
        case "missing":
            outer = show_location(location[:-1])
            where = f" in `{outer}`" if outer else ""
            return document.error(location[:-1], f"the key `{location[-1]}`{where} is missing.")
        case "value_error":
            problem = str(context["error"])
        case "list_type" | "tuple_type":
            problem = "must be a list"
        case "dict_type":
            problem = "must be a mapping"
        case "string_type":
            problem = "must be a text"
        case _:
            problem = entry["msg"]
    text = f"`{place}`: {problem}" if place else problem
    return document.error(location, text if text.endswith((".", "?")) or "\n" in text else text + ".")


def _real_parts(document: Document, at: Location, parts: tuple[int | str, ...]) -> Location:
    """Drop what pydantic adds to a location and the file does not have, such as the names of union members."""
    value = document.data
    for part in at:
        value = value[part]
    real: list[str | int] = []
    for index, part in enumerate(parts):
        is_item = isinstance(value, list) and isinstance(part, int) and part < len(value)
        if is_item or (isinstance(value, dict) and part in value):
            value = value[part]
        elif index != len(parts) - 1 or not isinstance(value, dict) or not isinstance(part, str):
            continue
        real.append(part)
    return tuple(real)
