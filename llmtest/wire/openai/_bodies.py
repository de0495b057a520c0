"""What all endpoints of OpenAI share: headers of requests, and their bodies, which must be JSON objects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmtest.wire._headers import bearer_token, header
from llmtest.wire._json import loads
from llmtest.wire._records import Headers
from llmtest.wire.openai._checks import refuse

__all__ = ["JSON_HEADERS", "NAME", "STREAM_HEADERS", "asked", "read_key"]

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
