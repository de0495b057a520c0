"""What pydantic found, retold in the words of the file's author: the place, the value, the nearest valid thing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from llmtest.config._document import Location
from llmtest.config._nearest import did_you_mean, known

__all__ = ["Finding", "finding_of", "show_location"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong.

    Args:
        location: Where, from the top of what was checked.
        text: What is said of it.
        key: The key that is unknown there; None where it is something else.
        known: Keys that are known there.
        is_missing: Whether it is that nothing is there.
    """

    location: Location
    text: str
    key: str | None = None
    known: tuple[str, ...] = ()
    is_missing: bool = False


def show_location(location: Location) -> str:
    """Return a location as people write it: `chain.providers[1].trigger`."""
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def finding_of(data: Any, entry: Any, at: Location = ()) -> Finding:
    """Retell one entry of a `ValidationError`.

    Args:
        data: What was checked.
        entry: The entry.
        at: Where that is in its file, for the text.
    """
    # A key that is wrong is told at its own line; pydantic adds a word of its own to the place.
    parts = entry["loc"]
    location = _real_parts(data, parts[:-1] if parts[-1:] == ("[key]",) else parts)
    place = show_location((*at, *location))
    context = entry.get("ctx", {})
    match entry["type"]:
        case "unknown_key":
            where = f" in `{place}`" if place else ""
            key, keys = context["key"], context["known"]
            text = f"unknown key `{key}`{where}.{did_you_mean(key, keys)}{known('keys', keys)}"
            return Finding(location, text, key, tuple(keys))
        case "missing":
            outer = show_location((*at, *location[:-1]))
            where = f" in `{outer}`" if outer else ""
            return Finding(location, f"the key `{location[-1]}`{where} is missing.", is_missing=True)
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
    return Finding(location, text if text.endswith((".", "?")) or "\n" in text else text + ".")


def _real_parts(value: Any, parts: tuple[int | str, ...]) -> Location:
    """Drop what pydantic adds to a location and the file does not have, such as the names of union members."""
    real: list[str | int] = []
    for index, part in enumerate(parts):
        is_item = isinstance(value, list) and isinstance(part, int) and part < len(value)
        if is_item or (isinstance(value, dict) and part in value):
            value = value[part]
        elif index != len(parts) - 1 or not isinstance(value, dict) or not isinstance(part, str):
            continue
        real.append(part)
    return tuple(real)
