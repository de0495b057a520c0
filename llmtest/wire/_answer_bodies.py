"""What reading an answer is in every dialect whose answers are JSON objects."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any

from llmtest.errors import InvalidResponseError
from llmtest.wire._json import loads

__all__ = ["answered", "own_fields", "unreadable"]


def answered(body: bytes, request_id: str | None = None) -> dict[str, Any]:
    """Read the body of an answer.

    Raises:
        InvalidResponseError: It is no JSON object.
    """
    try:
        parsed = loads(body)
    except ValueError as error:
        raise unreadable(body, request_id, f"is not JSON ({error})") from error
    if not isinstance(parsed, dict):
        raise unreadable(body, request_id, "is no JSON object")
    return parsed


def unreadable(body: bytes, request_id: str | None, reason: str) -> InvalidResponseError:
    """Make the error of an answer that cannot be read."""
    start = body[:80].decode(errors="replace")
    return InvalidResponseError(f"the answer {reason}: {start}", status=200, request_id=request_id, body=body)


def own_fields(dialect: str, body: Mapping[str, Any], known: Container[str]) -> dict[str, dict[str, Any]]:
    """Return what no member of a type says, under the name of the dialect that knows it."""
    extra = {name: value for name, value in body.items() if name not in known}
    return {dialect: extra} if extra else {}
