"""What all endpoints of OpenAI share: headers of requests, and bodies that must be JSON objects."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any

from llmtest.errors import InvalidResponseError
from llmtest.wire._headers import bearer_token, header
from llmtest.wire._json import loads
from llmtest.wire._records import Headers
from llmtest.wire.openai._checks import refuse

__all__ = ["JSON_HEADERS", "NAME", "STREAM_HEADERS", "answered", "asked", "own_fields", "read_key", "unreadable"]

NAME = "openai"
"""Under which name `extra` keeps what only this dialect, in whoever's mouth, knows."""

JSON_HEADERS: Headers = (("content-type", "application/json"), ("accept", "application/json"))
STREAM_HEADERS: Headers = (("content-type", "application/json"), ("accept", "text/event-stream"))
_NOT_JSON = (
    "We could not parse the JSON body of your request. (HINT: This likely means you aren't using your HTTP library "
    "correctly. The OpenAI API expects a JSON payload, but what was sent was not valid JSON. If you have trouble "
    "figuring out how to fix this, please contact us through our help center at help.openai.com.)"
)


def read_key(headers: Mapping[str, str]) -> str | None:
    """Read the key that came with a request."""
    return bearer_token(headers) or header(headers, "api-key")


def asked(body: bytes) -> dict[str, Any]:
    """Read the body of a request.

    Raises:
        WireFormatError: It is no JSON object.
    """
    try:
        parsed = loads(body)
    except ValueError as error:
        raise refuse(_NOT_JSON) from error
    if not isinstance(parsed, dict):
        raise refuse(_NOT_JSON)
    return parsed


def unreadable(body: bytes, request_id: str | None, reason: str) -> InvalidResponseError:
    """Make the error of an answer that cannot be read."""
    start = body[:80].decode(errors="replace")
    return InvalidResponseError(f"the answer {reason}: {start}", status=200, request_id=request_id, body=body)


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


def own_fields(body: Mapping[str, Any], known: Container[str]) -> dict[str, dict[str, Any]]:
    """Return what no member of a type says, under this dialect's name."""
    extra = {name: value for name, value in body.items() if name not in known}
    return {NAME: extra} if extra else {}
