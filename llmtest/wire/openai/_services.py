"""Endpoints of OpenAI that are no conversation: JSON, a form or nothing in, JSON out, and something to remember."""

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
from llmtest.wire.openai._forms import form, is_form, nested

__all__ = ["expected", "missing", "page", "refuse_value", "service"]

MOST_LISTED = 100
USUALLY_LISTED = 20


def _decode_call(
    endpoint: Endpoint, headers: Mapping[str, str], body: bytes, parameters: Mapping[str, str]
) -> WireCall:
    given = form(headers, body) if is_form(headers) else asked(body) if body else {}
    model = parameters.get("model") or given.get("model")
    return WireCall(
        endpoint,
        model=model if isinstance(model, str) else None,
        stream=given.get("stream", parameters.get("stream")) in {True, "true"},
        api_key=endpoint.dialect.read_key(headers),
        shaping={**given, **nested(parameters.items())},
    )


def _encode_answer(data: Any, call: WireCall, meta: ResponseMeta) -> bytes:
    del call, meta
    return data if isinstance(data, bytes) else dumps(data)


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


def expected(fields: Mapping[str, Any], *names: str) -> None:
    """Refuse a request that lacks a field.

    Raises:
        WireFormatError: One of them is missing or null.
    """
    for name in names:
        if fields.get(name) is None:
            raise refuse(f"Missing required parameter: '{name}'.", name, "missing_required_parameter")


def refuse_value(name: str, value: object, supported: Sequence[str]) -> WireFormatError:
    """Make the refusal of a value that is none of those that a field may have."""
    *first, last = (f"'{each}'" for each in supported)
    listed = f"{', '.join(first)}, and {last}" if len(first) > 1 else " and ".join((*first, last))
    return refuse(f"Invalid value: '{value}'. Supported values are: {listed}.", name, "invalid_value")


def page(
    found: Sequence[Mapping[str, Any]],
    fields: Mapping[str, Any],
    *,
    order: str = "desc",
    usual: int = USUALLY_LISTED,
    most: int = MOST_LISTED,
) -> dict[str, Any]:
    """Return a page of a list.

    Args:
        found: Everything, in the order in which it was made.
        fields: `limit`, `order` and `after`, as the query says them.
        order: Which order nobody has to ask for.
        usual: How many are listed where nobody says.
        most: How many at most.

    Raises:
        WireFormatError: A limit is no number from 1 to `most`, or nothing has the id to begin after.
    """
    limit = _limit(fields.get("limit"), usual, most)
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


def _limit(value: object, usual: int, most: int) -> int:
    if value is None:
        return usual
    number = int(value) if isinstance(value, str) and value.isdigit() else 0
    if not 1 <= number <= most:
        side, word = ("above maximum", f"<= {most}") if number > most else ("below minimum", ">= 1")
        raise refuse(
            f"Invalid 'limit': integer {side} value. Expected a value {word}, but got {value} instead.",
            "limit",
            f"integer_{'above_max' if number > most else 'below_min'}_value",
        )
    return number
