"""What all endpoints of Anthropic share: headers of requests, and bodies that must be JSON objects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmtest.errors import InvalidResponseError
from llmtest.wire._headers import bearer_token
from llmtest.wire._json import loads
from llmtest.wire._records import Headers
from llmtest.wire.anthropic._checks import refuse

__all__ = ["HEADERS", "NAME", "VERSION", "answered", "asked", "read_key"]

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


def answered(body: bytes, request_id: str | None = None) -> dict[str, Any]:
    """Read the body of an answer.

    Raises:
        InvalidResponseError: It is no JSON object.
    """
    try:
        parsed = loads(body)
    except ValueError as error:
        raise _unreadable(body, request_id, f"is not JSON ({error})") from error
    if not isinstance(parsed, dict):
        raise _unreadable(body, request_id, "is no JSON object")
    return parsed


def _unreadable(body: bytes, request_id: str | None, reason: str) -> InvalidResponseError:
    start = body[:80].decode(errors="replace")
    return InvalidResponseError(f"the answer {reason}: {start}", status=200, request_id=request_id, body=body)
