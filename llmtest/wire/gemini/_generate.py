"""The endpoints of Gemini that go on from a conversation: answers, whole and streamed, and token counts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from llmtest.errors import ProviderError
from llmtest.types import CompletionRequest, CompletionResponse
from llmtest.wire._answer_bodies import answered
from llmtest.wire._endpoint import Endpoint
from llmtest.wire._headers import header
from llmtest.wire._json import count, dumps
from llmtest.wire._records import Headers, ResponseMeta, StreamDecoder, WireCall, WireRequest
from llmtest.wire.framing import JSON_ARRAY, SSE_CRLF
from llmtest.wire.gemini._checks import asked, check_contents, check_request
from llmtest.wire.gemini._errors import decode_stream_error
from llmtest.wire.gemini.generate._likely import likely_as_asked
from llmtest.wire.gemini.generate._options import refuse_unsayable
from llmtest.wire.gemini.generate._request import decode_body as decode_request
from llmtest.wire.gemini.generate._request import encode_body as encode_request
from llmtest.wire.gemini.generate._response import body_of, decode_body
from llmtest.wire.gemini.generate._stream import GeminiStreamDecoder, encode_stream, event_text

__all__ = ["COUNT_TOKENS", "GENERATE", "HEADERS", "STREAM", "model_in", "read_key"]

HEADERS: Headers = (("content-type", "application/json"), ("accept", "*/*"))


def read_key(headers: Mapping[str, str]) -> str | None:
    """Read the key that came with a request."""
    return header(headers, "x-goog-api-key")


def model_in(model: str | None) -> str | None:
    """Return a model's name without the collection that it may be named with."""
    return None if model is None else model.removeprefix("models/")


def _path(request: CompletionRequest, method: str) -> str:
    model = model_in(request.model) or "gemini-2.5-flash"
    return f"/models/{quote(model, safe='/')}:{method}"


def _encode_call(request: CompletionRequest, *, stream: bool) -> WireRequest:
    path = _path(request, "streamGenerateContent?alt=sse" if stream else "generateContent")
    return WireRequest("POST", path, HEADERS, dumps(encode_request(request)))


def _call(
    endpoint: Endpoint, headers: Mapping[str, str], body: bytes, parameters: Mapping[str, str], *, stream: bool
) -> WireCall:
    parsed = asked(body)
    check_request(parsed)
    model = model_in(parameters.get("model"))
    request = decode_request(parsed, model, stream=stream)
    key = endpoint.dialect.read_key(headers) or parameters.get("key")
    return WireCall(endpoint, request, model, stream, key, include_usage=True, choices=request.n or 1)


def _decode_call(
    endpoint: Endpoint, headers: Mapping[str, str], body: bytes, parameters: Mapping[str, str]
) -> WireCall:
    return _call(endpoint, headers, body, parameters, stream=False)


def _decode_stream_call(
    endpoint: Endpoint, headers: Mapping[str, str], body: bytes, parameters: Mapping[str, str]
) -> WireCall:
    framed = endpoint if parameters.get("alt") == "sse" else _ARRAY.of(endpoint.dialect)
    return _call(framed, headers, body, parameters, stream=True)


def _encode_answer(response: CompletionResponse, call: WireCall, meta: ResponseMeta) -> bytes:
    response = likely_as_asked(response, call)
    try:
        return json.dumps(body_of(response, meta), indent=2, ensure_ascii=False).encode() + b"\n"
    except UnicodeEncodeError:
        return json.dumps(body_of(response, meta), indent=2).encode() + b"\n"


def _encode_stream(
    response: CompletionResponse, call: WireCall, meta: ResponseMeta, chunks: Sequence[str] | None
) -> list[bytes]:
    events = encode_stream(likely_as_asked(response, call), meta, chunks)
    return [b"data: " + event_text(each) + b"\r\n\r\n" for each in events]


def _encode_array(
    response: CompletionResponse, call: WireCall, meta: ResponseMeta, chunks: Sequence[str] | None
) -> list[bytes]:
    texts = [event_text(each) for each in encode_stream(likely_as_asked(response, call), meta, chunks)]
    return [*((b"[" if place == 0 else b",\r\n") + text for place, text in enumerate(texts)), b"]"]


def _decode_answer(body: bytes, headers: Mapping[str, str]) -> CompletionResponse:
    request_id = header(headers, "x-request-id")
    parsed = answered(body, request_id)
    if parsed.get("error"):
        raise decode_stream_error(parsed)
    try:
        return decode_body(parsed, request_id)
    except ProviderError as error:
        error.body = body
        raise


def _stream_decoder(headers: Mapping[str, str] | None) -> StreamDecoder:
    request_id = header(headers, "x-request-id") if headers else None
    kind = header(headers, "content-type") if headers else None
    framing = JSON_ARRAY if kind is not None and kind.startswith("application/json") else SSE_CRLF
    return GeminiStreamDecoder(decode_stream_error, request_id, framing)


def _array_decoder(headers: Mapping[str, str] | None) -> StreamDecoder:
    request_id = header(headers, "x-request-id") if headers else None
    return GeminiStreamDecoder(decode_stream_error, request_id, JSON_ARRAY)


def _endpoint(pattern: str, **fields: Any) -> Endpoint:
    given = {
        "decode_call": _decode_call,
        "encode_answer": _encode_answer,
        "encode_call": _encode_call,
        "decode_answer": _decode_answer,
        "refuse_unsayable": refuse_unsayable,
        "encode_stream": _encode_stream,
        "stream_decoder": _stream_decoder,
        "framing": SSE_CRLF,
        "reads_query": True,
    }
    return Endpoint("chat", "POST", pattern, gives="completion", **{**given, **fields})


GENERATE = _endpoint("/models/{model}:generateContent")
"""`POST /v1beta/models/{model}:generateContent`."""

STREAM = _endpoint("/models/{model}:streamGenerateContent", decode_call=_decode_stream_call)
"""`POST /v1beta/models/{model}:streamGenerateContent`, by events with `alt=sse`, else as an array."""

_ARRAY = _endpoint(
    STREAM.pattern,
    decode_call=_decode_stream_call,
    framing=JSON_ARRAY,
    encode_stream=_encode_array,
    stream_decoder=_array_decoder,
)


def _encode_count_call(request: CompletionRequest, *, stream: bool) -> WireRequest:
    del stream
    body = encode_request(request)
    asked_for: dict[str, Any] = {"contents": body["contents"]}
    if body.keys() & {"systemInstruction", "tools"}:
        # Only a whole request counts them too, and it names the model once more.
        asked_for = {"generateContentRequest": {"model": f"models/{model_in(request.model)}", **body}}
    return WireRequest("POST", _path(request, "countTokens"), HEADERS, dumps(asked_for))


def _decode_count_call(
    endpoint: Endpoint, headers: Mapping[str, str], body: bytes, parameters: Mapping[str, str]
) -> WireCall:
    parsed = asked(body)
    inner = parsed.get("generateContentRequest")
    if isinstance(inner, dict):
        check_request(inner)
        parsed = inner
    else:
        check_contents(parsed.get("contents"), "CountTokensRequest")
    model = model_in(parameters.get("model"))
    request = decode_request(parsed, model, stream=False)
    return WireCall(endpoint, request, model, api_key=endpoint.dialect.read_key(headers) or parameters.get("key"))


def _encode_count(tokens: int, call: WireCall, meta: ResponseMeta) -> bytes:
    del call, meta
    return dumps({"totalTokens": tokens, "promptTokensDetails": [{"modality": "TEXT", "tokenCount": tokens}]})


def _decode_count(body: bytes, headers: Mapping[str, str]) -> int:
    return count(answered(body, header(headers, "x-request-id")).get("totalTokens"))


COUNT_TOKENS = Endpoint(
    "count_tokens",
    "POST",
    "/models/{model}:countTokens",
    gives="token_count",
    decode_call=_decode_count_call,
    encode_answer=_encode_count,
    encode_call=_encode_count_call,
    decode_answer=_decode_count,
    reads_query=True,
)
"""`POST /v1beta/models/{model}:countTokens`."""
