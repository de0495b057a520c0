"""The endpoints of Bedrock that invoke a model: whole answers, and streams in Amazon's binary messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import quote, unquote

from llmtest.errors import ProviderError
from llmtest.types import CompletionRequest, CompletionResponse
from llmtest.wire._answer_bodies import answered
from llmtest.wire._endpoint import Endpoint
from llmtest.wire._headers import header
from llmtest.wire._json import dumps
from llmtest.wire._records import Headers, ResponseMeta, StreamDecoder, WireCall, WireRequest
from llmtest.wire.anthropic._hosted import hosted_body, hosted_call, plain_model
from llmtest.wire.anthropic.messages import _response, _stream
from llmtest.wire.anthropic.messages._options import refuse_unsayable
from llmtest.wire.bedrock._errors import decode_stream_error
from llmtest.wire.framing import EVENT_STREAM

__all__ = ["INVOKE", "STREAM", "VERSION"]

VERSION = "bedrock-2023-05-31"
"""https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-anthropic-claude-messages-request-response.html"""

WRONG_BETA = "invalid beta flag"
HEADERS: Headers = (("content-type", "application/json"),)


def _encode_call(request: CompletionRequest, *, stream: bool) -> WireRequest:
    method = "invoke-with-response-stream" if stream else "invoke"
    body = hosted_body(request, VERSION, stream=False)
    return WireRequest("POST", f"/model/{quote(request.model or '', safe=':')}/{method}", HEADERS, dumps(body))


def _decode_call(
    endpoint: Endpoint, headers: Mapping[str, str], body: bytes, parameters: Mapping[str, str]
) -> WireCall:
    return hosted_call(endpoint, headers, body, unquote(parameters["model"]), stream=False, wrong_beta=WRONG_BETA)


def _decode_stream_call(
    endpoint: Endpoint, headers: Mapping[str, str], body: bytes, parameters: Mapping[str, str]
) -> WireCall:
    return hosted_call(endpoint, headers, body, unquote(parameters["model"]), stream=True, wrong_beta=WRONG_BETA)


def _as_said(response: CompletionResponse, meta: ResponseMeta) -> CompletionResponse:
    """Return an answer with the model as Anthropic itself calls it."""
    return replace(response, model=plain_model(response.model or meta.model))


def _encode_answer(response: CompletionResponse, call: WireCall, meta: ResponseMeta) -> bytes:  # noqa: ARG001 - every endpoint takes it
    return _response.encode_bytes(_as_said(response, meta), meta)


def _encode_stream(
    response: CompletionResponse, call: WireCall, meta: ResponseMeta, chunks: Sequence[str] | None
) -> list[bytes]:
    del call
    found = []
    for event in _stream.encode_stream(_as_said(response, meta), meta, chunks):
        if event is _stream.PING:
            continue  # Amazon sends none.
        text = event[event.index(b"{") : event.rindex(b"}")].rstrip() + b"}"
        if text == b'{"type":"message_stop"}':
            text = dumps({"type": "message_stop", "amazon-bedrock-invocationMetrics": _metrics(response, meta)})
        found.append(EVENT_STREAM.packed(text) if EVENT_STREAM.packed is not None else text)
    return found


def _metrics(response: CompletionResponse, meta: ResponseMeta) -> dict[str, Any]:
    usage = response.usage
    return {
        "inputTokenCount": max(0, usage.input_tokens - usage.cache_read_tokens - usage.cache_write_tokens),
        "outputTokenCount": usage.output_tokens,
        "invocationLatency": meta.processing_ms or 0,
        "firstByteLatency": meta.processing_ms or 0,
    }


def _decode_answer(body: bytes, headers: Mapping[str, str]) -> CompletionResponse:
    request_id = header(headers, "x-amzn-requestid")
    parsed = answered(body, request_id)
    try:
        return _response.decode_body(parsed, request_id)
    except ProviderError as error:
        error.body = body
        raise


def _stream_decoder(headers: Mapping[str, str] | None) -> StreamDecoder:
    request_id = header(headers, "x-amzn-requestid") if headers else None
    return _stream.AnthropicStreamDecoder(decode_stream_error, request_id, EVENT_STREAM)


def _endpoint(pattern: str, **fields: Any) -> Endpoint:
    given = {
        "encode_answer": _encode_answer,
        "encode_call": _encode_call,
        "decode_answer": _decode_answer,
        "refuse_unsayable": refuse_unsayable,
        "encode_stream": _encode_stream,
        "stream_decoder": _stream_decoder,
        "framing": EVENT_STREAM,
    }
    return Endpoint("chat", "POST", pattern, gives="completion", **{**given, **fields})


INVOKE = _endpoint("/model/{model}/invoke", decode_call=_decode_call)
"""`POST /model/{id}/invoke`."""

STREAM = _endpoint("/model/{model}/invoke-with-response-stream", decode_call=_decode_stream_call)
"""`POST /model/{id}/invoke-with-response-stream`."""
