"""The schema that the words of a prompt hold, as libraries write it for models without structured output."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from llmtest.types import CompletionRequest

__all__ = ["FENCE", "asks_in_words", "told_schema", "wants_fence"]

MOST_BRACES = 200
"""How many places of a message are looked at for a schema."""

FENCE = "```json"
_WANTED = re.compile(
    r"\b(match|follow|conform|compatible|adhere|accord|respond|return|answer|output|reply|produce|generate)",
    re.IGNORECASE,
)
"""Words that ask for what a schema describes, and not for a word about it."""


def told_schema(request: CompletionRequest) -> dict[str, Any] | None:
    """Return the last schema of an object that a prompt holds, for those before it are examples; None: it has none."""
    return next((found[-1] for found in map(_schemas_in, reversed(list(_texts(request)))) if found), None)


def asks_in_words(request: CompletionRequest) -> dict[str, Any] | None:
    """Return the schema by which a prompt asks for JSON in so many words; None where it does not."""
    for text in reversed(list(_texts(request))):
        if '"properties"' not in text:
            continue
        lowered = text.lower()
        found = _schemas_in(text) if "json" in lowered and "schema" in lowered and _WANTED.search(text) else []
        if found:
            return found[-1]
    return None


def wants_fence(request: CompletionRequest) -> bool:
    """Tell whether a prompt wants its JSON in a block of code."""
    return any(FENCE in text for text in _texts(request))


def _texts(request: CompletionRequest) -> Iterator[str]:
    return (message.text for message in request.messages if message.role in {"system", "user"})


def _schemas_in(text: str) -> list[dict[str, Any]]:
    decoder = json.JSONDecoder()
    schemas: list[dict[str, Any]] = []
    place = text.find("{")
    for _ in range(MOST_BRACES):
        if place < 0:
            break
        try:
            found, end = decoder.raw_decode(text, place)
        except (ValueError, RecursionError):
            found, end = None, place + 1
        if isinstance(found, dict) and isinstance(found.get("properties"), dict):
            schemas.append(found)
        place = text.find("{", end)
    return schemas
