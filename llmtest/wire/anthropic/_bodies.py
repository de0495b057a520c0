"""What all endpoints of Anthropic share: headers of requests, and their bodies, which must be JSON objects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmtest.wire._headers import bearer_token
from llmtest.wire._json import loads
from llmtest.wire._records import Headers
from llmtest.wire.anthropic._checks import refuse

__all__ = ["HEADERS", "NAME", "VERSION", "asked", "read_key"]

NAME = "anthropic"
"""Under which name `extra` keeps what only this dialect knows."""

VERSION = "2023-06-01"
HEADERS: Headers = (("content-type", "application/json"), ("anthropic-version", VERSION))


def read_key(headers: Mapping[str, str]) -> str | None:
    """Read the key that came with a request, in either header."""
    return headers.get("x-api-key") or bearer_token(headers)


def asked(body: bytes) -> dict[str, Any]:
    """Read the body of a request.

    Raises:
        WireFormatError: It is no JSON object.
    """
    try:
        parsed = loads(body)
    except ValueError as error:
        raise refuse(f"The request body is not valid JSON: {error}") from error
    if not isinstance(parsed, dict):
        raise refuse("Input should be a valid dictionary")
    return parsed
