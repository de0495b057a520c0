"""The endpoints of OpenAI's Responses, and of the conversations that they go on from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from llmtest.errors import ProviderError
from llmtest.types import CompletionRequest, CompletionResponse
from llmtest.wire._answer_bodies import answered
from llmtest.wire._endpoint import Endpoint
from llmtest.wire._headers import header
from llmtest.wire._json import count, dumps
from llmtest.wire._records import ResponseMeta, StreamDecoder, WireCall, WireRequest
from llmtest.wire._served import Served
from llmtest.wire._store import Store
from llmtest.wire.openai import _errors
from llmtest.wire.openai._bodies import JSON_HEADERS, STREAM_HEADERS, asked
from llmtest.wire.openai._checks import refuse
from llmtest.wire.openai._services import missing, page, service
from llmtest.wire.openai.responses import _stream_writer
from llmtest.wire.openai.responses._checks import check, check_strictly
from llmtest.wire.openai.responses._errors import ResponsesErrors
from llmtest.wire.openai.responses._kept import items_in, keep, kept, listed, recall
from llmtest.wire.openai.responses._options import refuse_unsayable
from llmtest.wire.openai.responses._request import decode_body as decode_request
from llmtest.wire.openai.responses._request import encode_body as encode_request
from llmtest.wire.openai.responses._response import body_of, decode_body, new_id
from llmtest.wire.openai.responses._stream_decoder import ResponsesStreamDecoder

__all__ = ["RESPONSES", "STATEFUL"]


def _encode_call(request: CompletionRequest, *, stream: bool) -> WireRequest:
    body = dumps(encode_request(request, stream=stream))
    return WireRequest("POST", "/responses", STREAM_HEADERS if stream else JSON_HEADERS, body)


def _decode_call(
    endpoint: Endpoint, headers: Mapping[str, str], body: bytes, parameters: Mapping[str, str]
) -> WireCall:
    del parameters
    parsed = asked(body)
    dialect = endpoint.dialect
    check(parsed)
    if dialect.settings.get("is_strict"):
        check_strictly(parsed)
    options = parsed.get("stream_options")
    obfuscated = not isinstance(options, dict) or options.get("include_obfuscation") is not False
    return WireCall(
        endpoint,
        decode_request(parsed),
        parsed.get("model"),
        parsed.get("stream") is True,
        dialect.read_key(headers),
        include_usage=True,
        include_obfuscation=bool(dialect.settings.get("obfuscates")) and obfuscated,
        shaping=parsed,
    )


def _encode_answer(response: CompletionResponse, call: WireCall, meta: ResponseMeta) -> bytes:
    body = body_of(response, meta, call.shaping)
    if call.shaping.get("background") is True:
        body.update(status="queued", incomplete_details=None, output=[], usage=None)
    return dumps(body)


def _encode_stream(
    response: CompletionResponse, call: WireCall, meta: ResponseMeta, chunks: Sequence[str] | None
) -> list[bytes]:
    return _stream_writer.encode_stream(response, call, meta, chunks)


def _decode_answer(body: bytes, headers: Mapping[str, str]) -> CompletionResponse:
    request_id = header(headers, "x-request-id")
    parsed = answered(body, request_id)
    if parsed.get("error"):
        failure = _errors.decode_stream_error({"error": parsed["error"]})
        failure.request_id = request_id
        raise failure
    try:
        return decode_body(parsed, request_id)
    except ProviderError as error:
        error.body = body
        raise


def _read_failure(event: Mapping[str, Any]) -> ProviderError:
    """Read an error of a stream, in any of the three forms that it comes in: nested, flat, in a failed response."""
    error = event.get("error")
    if not isinstance(error, dict):
        error = {name: event.get(name) for name in ("code", "message", "param")}
    return _errors.decode_stream_error({"error": error})


def _stream_decoder(headers: Mapping[str, str] | None) -> StreamDecoder:
    request_id = header(headers, "x-request-id") if headers else None
    return ResponsesStreamDecoder(_read_failure, request_id)


RESPONSES = Endpoint(
    "responses",
    "POST",
    "/responses",
    gives="completion",
    decode_call=_decode_call,
    encode_answer=_encode_answer,
    encode_call=_encode_call,
    decode_answer=_decode_answer,
    refuse_unsayable=refuse_unsayable,
    encode_stream=_encode_stream,
    stream_decoder=_stream_decoder,
    recall=recall,
    keep=keep,
    errors=ResponsesErrors(),
)
"""`POST /v1/responses`."""


def _retrieve(call: WireCall, meta: ResponseMeta, store: Store) -> Any:
    del meta
    found = kept(store, call.shaping["response_id"])
    if not call.stream or found["body"]["status"] == "cancelled":
        return found["body"]
    response, asked, then = found["said"]
    events = _stream_writer.encode_stream(response, asked, then, None)
    return Served(found["body"], pieces=tuple(events[_first(call.shaping.get("starting_after")) :]))


def _first(after: object) -> int:
    """Return the number of the first event to send: the one after the one that was seen last."""
    if after is None:
        return 0
    if not (isinstance(after, int) or (isinstance(after, str) and after.isdigit())):
        raise refuse(f"Invalid type for 'starting_after': expected an integer, but got '{after}' instead.")
    return int(after) + 1


def _delete(call: WireCall, meta: ResponseMeta, store: Store) -> dict[str, Any]:
    del meta
    identity = str(call.shaping["response_id"])
    kept(store, identity)
    del store.table("responses")[identity]
    return {"id": identity, "object": "response", "deleted": True}


def _cancel(call: WireCall, meta: ResponseMeta, store: Store) -> dict[str, Any]:
    del meta
    found = kept(store, call.shaping["response_id"])
    if not found["background"]:
        raise refuse("Cannot cancel a synchronous response.")
    found["body"] = {**found["body"], "status": "cancelled", "output": [], "usage": None}
    return found["body"]  # type: ignore[no-any-return]  # what `keep` put there


def _input_items(call: WireCall, meta: ResponseMeta, store: Store) -> dict[str, Any]:
    del meta
    return page(kept(store, call.shaping["response_id"])["input"], call.shaping)


def _decode_count(
    endpoint: Endpoint, headers: Mapping[str, str], body: bytes, parameters: Mapping[str, str]
) -> WireCall:
    del parameters
    parsed = asked(body)
    check({"model": "any", **parsed})
    return WireCall(
        endpoint,
        decode_request(parsed),
        parsed.get("model"),
        api_key=endpoint.dialect.read_key(headers),
        shaping=parsed,
    )


_COUNTED = frozenset({"input", "instructions", "model", "parallel_tool_calls", "reasoning", "text"}) | (
    frozenset({"tool_choice", "tools", "truncation", "previous_response_id", "conversation"})
)
"""Fields of a request that can be counted."""


def _encode_count_call(request: CompletionRequest, *, stream: bool) -> WireRequest:
    del stream
    body = {name: value for name, value in encode_request(request, stream=False).items() if name in _COUNTED}
    return WireRequest("POST", "/responses/input_tokens", JSON_HEADERS, dumps(body))


def _decode_tokens(body: bytes, headers: Mapping[str, str]) -> int:
    return count(answered(body, header(headers, "x-request-id")).get("input_tokens"))


def _encode_count(tokens: int, call: WireCall, meta: ResponseMeta) -> bytes:
    del call, meta
    return dumps({"object": "response.input_tokens", "input_tokens": tokens})


def _compact(call: WireCall, meta: ResponseMeta, store: Store) -> dict[str, Any]:
    """Answer with the user's messages and one item that stands for all else."""
    del store
    items = [listed(item, new_id("msg", meta, place)) for place, item in enumerate(items_in(call.shaping.get("input")))]
    said = [item for item in items if item["type"] == "message" and item.get("role") == "user"]
    compaction = {"id": new_id("cmp", meta), "type": "compaction", "encrypted_content": new_id("gAAAAA", meta, 1)}
    size = len(dumps(items)) // 4
    return {
        "id": new_id("resp", meta),
        "object": "response.compaction",
        "created_at": meta.created_s,
        "output": [*said, compaction],
        "usage": {
            "input_tokens": size,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": 16,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": size + 16,
        },
    }


def _conversation(store: Store, identity: object) -> dict[str, Any]:
    found = store.table("conversations").get(str(identity))
    if found is None:
        raise missing(f"Conversation with id '{identity}' not found.")
    return found  # type: ignore[no-any-return]  # what `_begin` put there


def _begin(call: WireCall, meta: ResponseMeta, store: Store) -> dict[str, Any]:
    identity = new_id("conv", meta)
    body = {
        "id": identity,
        "object": "conversation",
        "created_at": meta.created_s,
        "metadata": call.shaping.get("metadata") or {},
    }
    store.table("conversations")[identity] = {"body": body, "items": _new_items(call, meta)}
    return body


def _new_items(call: WireCall, meta: ResponseMeta) -> dict[str, dict[str, Any]]:
    found = [listed(item, new_id("msg", meta, place + 1)) for place, item in enumerate(call.shaping.get("items") or ())]
    return {item["id"]: item for item in found}


def _look_up(call: WireCall, meta: ResponseMeta, store: Store) -> dict[str, Any]:
    del meta
    return _conversation(store, call.shaping["conversation_id"])["body"]  # type: ignore[no-any-return]  # as `_begin` has it


def _update(call: WireCall, meta: ResponseMeta, store: Store) -> dict[str, Any]:
    body = _look_up(call, meta, store)
    body["metadata"] = call.shaping.get("metadata") or {}
    return body


def _end(call: WireCall, meta: ResponseMeta, store: Store) -> dict[str, Any]:
    body = _look_up(call, meta, store)
    del store.table("conversations")[body["id"]]
    return {"id": body["id"], "object": "conversation.deleted", "deleted": True}


def _add_items(call: WireCall, meta: ResponseMeta, store: Store) -> dict[str, Any]:
    added = _new_items(call, meta)
    _conversation(store, call.shaping["conversation_id"])["items"].update(added)
    return page(list(added.values()), {"limit": "100"}, order="asc")


def _list_items(call: WireCall, meta: ResponseMeta, store: Store) -> dict[str, Any]:
    del meta
    return page(list(_conversation(store, call.shaping["conversation_id"])["items"].values()), call.shaping)


def _item(call: WireCall, meta: ResponseMeta, store: Store) -> dict[str, Any]:
    del meta
    fields = call.shaping
    found = _conversation(store, fields["conversation_id"])["items"].get(fields["item_id"])
    if found is None:
        raise missing(f"Item with id '{fields['item_id']}' not found in conversation '{fields['conversation_id']}'.")
    return found  # type: ignore[no-any-return]  # an item as it was added


def _delete_item(call: WireCall, meta: ResponseMeta, store: Store) -> dict[str, Any]:
    _item(call, meta, store)
    del _conversation(store, call.shaping["conversation_id"])["items"][call.shaping["item_id"]]
    return _look_up(call, meta, store)


STATEFUL = (
    Endpoint(
        "input_tokens",
        "POST",
        "/responses/input_tokens",
        gives="token_count",
        decode_call=_decode_count,
        encode_answer=_encode_count,
        encode_call=_encode_count_call,
        decode_answer=_decode_tokens,
        errors=ResponsesErrors(),
    ),
    service("responses.compact", "POST", "/responses/compact", _compact),
    service("responses.retrieve", "GET", "/responses/{response_id}", _retrieve),
    service("responses.delete", "DELETE", "/responses/{response_id}", _delete),
    service("responses.cancel", "POST", "/responses/{response_id}/cancel", _cancel),
    service("responses.input_items", "GET", "/responses/{response_id}/input_items", _input_items),
    service("conversations.create", "POST", "/conversations", _begin),
    service("conversations.retrieve", "GET", "/conversations/{conversation_id}", _look_up),
    service("conversations.update", "POST", "/conversations/{conversation_id}", _update),
    service("conversations.delete", "DELETE", "/conversations/{conversation_id}", _end),
    service("conversations.items.create", "POST", "/conversations/{conversation_id}/items", _add_items),
    service("conversations.items.list", "GET", "/conversations/{conversation_id}/items", _list_items),
    service("conversations.items.retrieve", "GET", "/conversations/{conversation_id}/items/{item_id}", _item),
    service("conversations.items.delete", "DELETE", "/conversations/{conversation_id}/items/{item_id}", _delete_item),
)
"""What OpenAI answers about responses that it keeps."""
