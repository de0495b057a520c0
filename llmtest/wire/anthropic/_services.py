"""Endpoints of Anthropic that are no conversation: how they are read and written, and how their lists are paged.

https://platform.claude.com/docs/en/api/pagination
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from llmtest.errors import InvalidRequestError
from llmtest.wire._endpoint import Endpoint
from llmtest.wire._json import dumps
from llmtest.wire._records import ResponseMeta, WireCall, WireFormatError
from llmtest.wire._store import Store
from llmtest.wire.anthropic._bodies import asked
from llmtest.wire.anthropic._checks import refuse

__all__ = ["cursor_page", "encode_json", "instant", "limit_of", "missing", "page", "service"]

MOST_LISTED = 1000
USUALLY_LISTED = 20


def missing(message: str) -> WireFormatError:
    """Make the refusal of something that is not there."""
    return WireFormatError(InvalidRequestError(message, status=404, code="not_found_error"))


def instant(seconds: float | None) -> str | None:
    """Write a time as RFC 3339 in UTC; None where there is none."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def encode_json(data: Any, call: WireCall, meta: ResponseMeta) -> bytes:
    """Write what JSON can say; bytes are written already."""
    del call, meta
    return data if isinstance(data, bytes) else dumps(data)


def _decode_call(
    endpoint: Endpoint, headers: Mapping[str, str], body: bytes, parameters: Mapping[str, str]
) -> WireCall:
    sent = asked(body) if body and endpoint.method == "POST" else {}
    key = endpoint.dialect.read_key(headers)
    return WireCall(endpoint, api_key=key, shaping={"sent": sent, "headers": headers, **parameters})


def service(
    operation: str,
    method: str,
    pattern: str,
    default: Callable[[WireCall, ResponseMeta, Store], Any],
    decode_call: Callable[[Endpoint, Mapping[str, str], bytes, Mapping[str, str]], WireCall] = _decode_call,
) -> Endpoint:
    """Make an endpoint that answers by itself.

    Args:
        operation: What traces and scripts call it.
        method: `GET`, upper case.
        pattern: Path; what it and the query name is in `call.shaping`, the body in its field `sent`, and what came
            with it in `headers`.
        default: What is answered where no script says it.
        decode_call: Reads it, where it does not bring JSON.
    """
    return Endpoint(
        operation,
        method,
        pattern,
        decode_call=decode_call,
        encode_answer=encode_json,
        default=default,
        reads_query=True,
    )


def limit_of(fields: Mapping[str, Any]) -> int:
    """Read how many are to be listed at once.

    Raises:
        WireFormatError: It is no number from 1 to 1000.
    """
    text = fields.get("limit")
    if text is None:
        return USUALLY_LISTED
    if not str(text).lstrip("-").isdecimal():
        raise refuse("limit: Input should be a valid integer, unable to parse string as an integer")
    if int(text) < 1:
        raise refuse("limit: Input should be greater than or equal to 1")
    if int(text) > MOST_LISTED:
        raise refuse(f"limit: Input should be less than or equal to {MOST_LISTED}")
    return int(text)


def page(found: Sequence[Mapping[str, Any]], fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return a page of a list that is turned over by ids; nothing comes before or after an id that nothing has.

    Args:
        found: Everything, as it is listed.
        fields: `limit`, `after_id` and `before_id`, as the query says them.

    Raises:
        WireFormatError: A limit that cannot be.
    """
    limit, after, before = limit_of(fields), fields.get("after_id"), fields.get("before_id")
    ids = [each["id"] for each in found]
    if not {after, before} <= {None, *ids}:
        found, ids, after, before = (), [], None, None
    start, end = 0, len(found)
    if after is not None:
        start = ids.index(after) + 1
    elif before is not None:
        end = ids.index(before)
        start = max(0, end - limit)
    data = list(found[start : min(end, start + limit)])
    more = start > 0 if before is not None else start + limit < len(found)
    first, last = (data[0]["id"], data[-1]["id"]) if data else (None, None)
    return {"data": data, "has_more": more, "first_id": first, "last_id": last}


def cursor_page(found: Sequence[Mapping[str, Any]], fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return a page of a list that is turned over by a cursor.

    Raises:
        WireFormatError: A limit or a cursor that cannot be.
    """
    limit, cursor = limit_of(fields), fields.get("page")
    start = 0
    if cursor is not None:
        number = str(cursor).removeprefix("page_")
        if not str(cursor).startswith("page_") or not number.isdecimal() or int(number) > len(found):
            raise refuse("page: Invalid page cursor")
        start = int(number)
    more = start + limit < len(found)
    return {
        "data": list(found[start : start + limit]),
        "has_more": more,
        "next_page": f"page_{start + limit}" if more else None,
    }
