"""Endpoints of OpenAI that are no conversation: JSON or nothing in, JSON out, and something to remember between."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from llmtest.errors import InvalidRequestError
from llmtest.wire._endpoint import Endpoint
from llmtest.wire._json import dumps
from llmtest.wire._records import ResponseMeta, WireCall, WireFormatError
from llmtest.wire._store import Store
from llmtest.wire.openai._bodies import asked
from llmtest.wire.openai._checks import refuse

__all__ = ["missing", "page", "service"]

MOST_LISTED = 100
USUALLY_LISTED = 20


def _decode_call(
    endpoint: Endpoint, headers: Mapping[str, str], body: bytes, parameters: Mapping[str, str]
) -> WireCall:
    given = asked(body) if body else {}
    model = parameters.get("model") or given.get("model")
    return WireCall(
        endpoint,
        model=model if isinstance(model, str) else None,
        api_key=endpoint.dialect.read_key(headers),
        shaping={**given, **parameters},
    )


def _encode_answer(data: Any, call: WireCall, meta: ResponseMeta) -> bytes:
    del call, meta
    return dumps(data)


def service(
    operation: str, method: str, pattern: str, default: Callable[[WireCall, ResponseMeta, Store], Any]
) -> Endpoint:
    """Make an endpoint that answers by itself.

    Args:
        operation: What traces and scripts call it.
        method: `GET`, upper case.
        pattern: Path below the root; what it names, and the fields of query and body, are in `call.shaping`.
        default: What is answered where no script says it.
    """
    return Endpoint(
        operation,
        method,
        pattern,
        decode_call=_decode_call,
        encode_answer=_encode_answer,
        default=default,
        reads_query=True,
    )


def missing(message: str, param: str | None = None) -> WireFormatError:
    """Make the refusal of something that is not there."""
    error = InvalidRequestError(message, status=404, code="invalid_request_error")
    error.param = param
    return WireFormatError(error)


def page(found: Sequence[Mapping[str, Any]], fields: Mapping[str, Any], *, order: str = "desc") -> dict[str, Any]:
    """Return a page of a list.

    Args:
        found: Everything, in the order in which it was made.
        fields: `limit`, `order` and `after`, as the query says them.
        order: Which order nobody has to ask for.

    Raises:
        WireFormatError: A limit is no number from 1 to 100, or nothing has the id to begin after.
    """
    limit = _limit(fields.get("limit"))
    listed = list(found) if fields.get("order", order) == "asc" else list(reversed(found))
    after = fields.get("after")
    if after is not None:
        ids = [each["id"] for each in listed]
        if after not in ids:
            raise missing(f"No object found with id '{after}'.", "after")
        listed = listed[ids.index(after) + 1 :]
    data = listed[:limit]
    return {
        "object": "list",
        "data": data,
        "first_id": data[0]["id"] if data else None,
        "last_id": data[-1]["id"] if data else None,
        "has_more": len(listed) > limit,
    }


def _limit(value: object) -> int:
    if value is None:
        return USUALLY_LISTED
    number = int(value) if isinstance(value, str) and value.isdigit() else 0
    if not 1 <= number <= MOST_LISTED:
        side, word = ("above maximum", "<= 100") if number > MOST_LISTED else ("below minimum", ">= 1")
        raise refuse(
            f"Invalid 'limit': integer {side} value. Expected a value {word}, but got {value} instead.",
            "limit",
            f"integer_{'above_max' if number > MOST_LISTED else 'below_min'}_value",
        )
    return number
