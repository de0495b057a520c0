"""The endpoint of legacy completions: a prompt in, a text that goes on from it out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from llmtest.types import CompletionRequest, CompletionResponse
from llmtest.wire._answer_bodies import answered
from llmtest.wire._endpoint import Endpoint
from llmtest.wire._headers import header
from llmtest.wire._json import dumps
from llmtest.wire._records import ResponseMeta, StreamDecoder, WireCall, WireRequest
from llmtest.wire.openai import _errors
from llmtest.wire.openai._bodies import JSON_HEADERS, STREAM_HEADERS, asked
from llmtest.wire.openai.completions import _response
from llmtest.wire.openai.completions._request import (
    check,
    check_strictly,
    prompts_of,
    read,
    refuse_unsayable,
    write,
)

__all__ = ["COMPLETIONS"]


def _encode_call(request: CompletionRequest, *, stream: bool) -> WireRequest:
    body = dumps(write(request, stream=stream))
    return WireRequest("POST", "/completions", STREAM_HEADERS if stream else JSON_HEADERS, body)


def _decode_call(
    endpoint: Endpoint, headers: Mapping[str, str], body: bytes, parameters: Mapping[str, str]
) -> WireCall:
    del parameters
    parsed = asked(body)
    check(parsed)
    if endpoint.dialect.settings.get("is_openai"):
        check_strictly(parsed)
    options = parsed.get("stream_options")
    made = max(parsed.get("best_of") or 1, parsed.get("n") or 1)
    return WireCall(
        endpoint,
        read(parsed),
        parsed["model"],
        parsed.get("stream") is True,
        endpoint.dialect.read_key(headers),
        include_usage=isinstance(options, dict) and options.get("include_usage") is True,
        choices=made * len(prompts_of(parsed)),
        shaping=parsed,
    )


def _encode_answer(response: CompletionResponse, call: WireCall, meta: ResponseMeta) -> bytes:
    return dumps(_response.body_of(response, call, meta))


def _encode_stream(
    response: CompletionResponse, call: WireCall, meta: ResponseMeta, chunks: Sequence[str] | None
) -> list[bytes]:
    return _response.encode_stream(response, call, meta, chunks)


def _decode_answer(body: bytes, headers: Mapping[str, str]) -> CompletionResponse:
    request_id = header(headers, "x-request-id")
    parsed = answered(body, request_id)
    if parsed.get("error") and not parsed.get("choices"):
        failure = _errors.decode_stream_error(parsed)
        failure.request_id = request_id
        raise failure
    return _response.decode_body(parsed, request_id)


def _stream_decoder(headers: Mapping[str, str] | None) -> StreamDecoder:
    request_id = header(headers, "x-request-id") if headers else None
    return _response.CompletionsStreamDecoder(_errors.decode_stream_error, request_id)


COMPLETIONS = Endpoint(
    "completions",
    "POST",
    "/completions",
    gives="completion",
    decode_call=_decode_call,
    encode_answer=_encode_answer,
    encode_call=_encode_call,
    refuse_unsayable=refuse_unsayable,
    decode_answer=_decode_answer,
    encode_stream=_encode_stream,
    stream_decoder=_stream_decoder,
)
"""`POST /v1/completions`."""
