"""The endpoints of Bedrock's Converse: whole answers, and streams in Amazon's binary messages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, unquote

from llmtest.types import CompletionRequest, CompletionResponse
from llmtest.wire._answer_bodies import answered
from llmtest.wire._endpoint import Endpoint
from llmtest.wire._headers import header
from llmtest.wire._json import dumps, loads
from llmtest.wire._records import ResponseMeta, StreamDecoder, WireCall, WireRequest
from llmtest.wire.bedrock._invoke import HEADERS
from llmtest.wire.bedrock.converse._answer import answer_body, decode_body
from llmtest.wire.bedrock.converse._messages import refuse
from llmtest.wire.bedrock.converse._request import decode_request, encode_request, refuse_unsayable
from llmtest.wire.bedrock.converse._stream import ConverseStreamDecoder, encode_stream
from llmtest.wire.framing import TYPED_EVENT_STREAM

__all__ = ["CONVERSE", "CONVERSE_STREAM"]


def _encode_call(request: CompletionRequest, *, stream: bool) -> WireRequest:
    method = "converse-stream" if stream else "converse"
    path = f"/model/{quote(request.model or '', safe=':')}/{method}"
    return WireRequest("POST", path, HEADERS, dumps(encode_request(request)))


def _call(
    endpoint: Endpoint, headers: Mapping[str, str], body: bytes, parameters: Mapping[str, str], *, stream: bool
) -> WireCall:
    try:
        parsed = loads(body)
    except ValueError as error:
        raise refuse("Malformed input request, please reformat your input and try again.") from error
    model = unquote(parameters["model"])
    request = decode_request(parsed if isinstance(parsed, dict) else {}, model, stream=stream)
    return WireCall(endpoint, request, model, stream, endpoint.dialect.read_key(headers), include_usage=True)


def _decode_call(
    endpoint: Endpoint, headers: Mapping[str, str], body: bytes, parameters: Mapping[str, str]
) -> WireCall:
    return _call(endpoint, headers, body, parameters, stream=False)


def _decode_stream_call(
    endpoint: Endpoint, headers: Mapping[str, str], body: bytes, parameters: Mapping[str, str]
) -> WireCall:
    return _call(endpoint, headers, body, parameters, stream=True)


def _encode_answer(response: CompletionResponse, call: WireCall, meta: ResponseMeta) -> bytes:
    del call
    return dumps(answer_body(response, meta))


def _decode_answer(body: bytes, headers: Mapping[str, str]) -> CompletionResponse:
    request_id = header(headers, "x-amzn-requestid")
    return decode_body(answered(body, request_id), request_id)


def _stream_decoder(headers: Mapping[str, str] | None) -> StreamDecoder:
    return ConverseStreamDecoder(header(headers, "x-amzn-requestid") if headers else None)


def _endpoint(pattern: str, **fields: Any) -> Endpoint:
    given = {
        "encode_answer": _encode_answer,
        "encode_call": _encode_call,
        "decode_answer": _decode_answer,
        "refuse_unsayable": refuse_unsayable,
        "encode_stream": encode_stream,
        "stream_decoder": _stream_decoder,
        "framing": TYPED_EVENT_STREAM,
        "tells_names": False,
    }
    return Endpoint("chat", "POST", pattern, gives="completion", **{**given, **fields})


CONVERSE = _endpoint("/model/{model}/converse", decode_call=_decode_call)
"""`POST /model/{id}/converse`."""

CONVERSE_STREAM = _endpoint("/model/{model}/converse-stream", decode_call=_decode_stream_call)
"""`POST /model/{id}/converse-stream`."""
