"""What Chat Completions and Responses say alike, nested in one and flat in the other: forms, tools, tiers, files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from llmtest.types import ResponseFormat, ToolDefinition

__all__ = ["TIERS", "decode_form", "decode_function", "encode_schema", "parse_data_url"]

TIERS = {"auto": "default", "standard_only": "default", "fast": "priority"}
"""What OpenAI calls the tier that a word of the request chose, where that is another word."""
DEFAULT_NAME = "answer"
"""OpenAI wants a name for a schema."""
_DATA_URL = re.compile(r"data:([\w.+-]+/[\w.+-]+);base64,(.*)", re.DOTALL)
_DIALECT = "openai"


def encode_schema(form: ResponseFormat) -> dict[str, Any]:
    """Write the schema that an answer is to have, with its name."""
    found: dict[str, Any] = {"name": DEFAULT_NAME if form.name is None else form.name, "schema": form.schema}
    if form.strict is not None:
        found["strict"] = form.strict
    if form.description is not None:
        found["description"] = form.description
    return found


def decode_form(kind: object, schema: object) -> ResponseFormat | None:
    """Read in which form the answer is wanted; None where it is a form that is not modelled.

    Args:
        kind: The word for it.
        schema: Where the schema and its name are, if it is one.
    """
    if kind == "text":
        return ResponseFormat("text")
    if kind == "json_object":
        return ResponseFormat("json_object")
    if kind != "json_schema" or not isinstance(schema, dict) or not isinstance(schema.get("schema"), dict):
        return None
    strict = schema.get("strict")
    return ResponseFormat.json_schema(
        schema["schema"],
        name=schema.get("name"),
        strict=strict if isinstance(strict, bool) else None,
        description=schema.get("description"),
    )


def decode_function(function: Mapping[str, Any], known: frozenset[str], *, strict: bool | None) -> ToolDefinition:
    """Read a function as a tool; fields that are not `known` are kept as they are.

    Args:
        function: Where its name and its parameters are.
        known: The fields that a tool says itself.
        strict: Whether calls are to be valid against the parameters, where that is said.
    """
    extra = {key: value for key, value in function.items() if key not in known}
    parameters = function.get("parameters")
    if not isinstance(parameters, dict):
        parameters = {"type": "object", "properties": {}}
    more = {_DIALECT: extra} if extra else {}
    return ToolDefinition(function["name"], function.get("description"), parameters, more, strict=strict)


def parse_data_url(url: object) -> tuple[str, str] | None:
    """Return media type and base64 text of a `data:` URL; None for anything else."""
    match = _DATA_URL.fullmatch(url) if isinstance(url, str) else None
    return None if match is None else (match[1], match[2])
