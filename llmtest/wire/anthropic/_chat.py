"""The endpoints of Anthropic's Messages: an answer, and how many tokens a prompt has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from llmtest.errors import ProviderError
from llmtest.types import CompletionRequest, CompletionResponse
from llmtest.wire._answer_bodies import answered
from llmtest.wire._endpoint import Endpoint
from llmtest.wire._headers import header
from llmtest.wire._json import count, dumps
from llmtest.wire._records import ResponseMeta, StreamDecoder, WireCall, WireRequest
from llmtest.wire.anthropic import _errors
from llmtest.wire.anthropic._bodies import HEADERS, asked
from llmtest.wire.anthropic._files import find_files
from llmtest.wire.anthropic.messages import _request, _response, _stream
from llmtest.wire.anthropic.messages._options import refuse_unsayable

__all__ = ["COUNT_TOKENS", "MESSAGES"]


def _encode_call(request: CompletionRequest, *, stream: bool) -> WireRequest:
    accept = ("accept", "text/event-stream" if stream else "application/json")
    return WireRequest("POST", "/v1/messages", (*HEADERS, accept), dumps(_request.encode_body(request, stream=stream)))


def _decode_call(
    endpoint: Endpoint, headers: Mapping[str, str], body: bytes, parameters: Mapping[str, str]
) -> WireCall:
    del parameters
    parsed = asked(body)
    request, unread = _request.decode_call(
        parsed,
        limit_required=endpoint.operation == "chat",
        strict=headers if endpoint.dialect.settings.get("is_anthropic") else None,
    )
    stream = parsed.get("stream") is True
    api_key = endpoint.dialect.read_key(headers)
    return WireCall(endpoint, request, parsed["model"], stream, api_key, include_usage=True, unread=unread)


def _encode_answer(response: CompletionResponse, call: WireCall, meta: ResponseMeta) -> bytes:  # noqa: ARG001 - every endpoint takes it
    return _response.encode_bytes(response, meta)


def _encode_stream(
    response: CompletionResponse, call: WireCall, meta: ResponseMeta, chunks: Sequence[str] | None
) -> list[bytes]:
    del call  # the switches of a call are OpenAI's
    return _stream.encode_stream(response, meta, chunks)


def _decode_answer(body: bytes, headers: Mapping[str, str]) -> CompletionResponse:
    request_id = header(headers, "request-id")
    parsed = answered(body, request_id)
    if parsed.get("type") == "error" or (parsed.get("error") and "content" not in parsed):
        error = _errors.decode_stream_error(parsed)
        error.request_id = request_id
        raise error
    try:
        return _response.decode_body(parsed, request_id)
    except ProviderError as error:
        error.body = body
        raise


def _stream_decoder(headers: Mapping[str, str] | None) -> StreamDecoder:
    request_id = header(headers, "request-id") if headers else None
    return _stream.AnthropicStreamDecoder(_errors.decode_stream_error, request_id)


def _encode_count_call(request: CompletionRequest, *, stream: bool) -> WireRequest:
    body = _request.encode_body(request, stream=stream)
    del body["max_tokens"]
    return WireRequest("POST", "/v1/messages/count_tokens", HEADERS, dumps(body))


def _encode_count(tokens: int, call: WireCall, meta: ResponseMeta) -> bytes:  # noqa: ARG001 - every endpoint takes them
    return dumps({"input_tokens": tokens})


def _decode_count(body: bytes, headers: Mapping[str, str]) -> int:
    del headers
    return count(answered(body).get("input_tokens"))


MESSAGES = Endpoint(
    "chat",
    "POST",
    "/v1/messages",
    gives="completion",
    decode_call=_decode_call,
    encode_answer=_encode_answer,
    encode_call=_encode_call,
    decode_answer=_decode_answer,
    refuse_unsayable=refuse_unsayable,
    encode_stream=_encode_stream,
    stream_decoder=_stream_decoder,
    keep_alive=_stream.PING,
    recall=find_files,
)
"""`POST /v1/messages`."""

COUNT_TOKENS = Endpoint(
    "count_tokens",
    "POST",
    "/v1/messages/count_tokens",
    gives="token_count",
    decode_call=_decode_call,
    encode_answer=_encode_count,
    encode_call=_encode_count_call,
    decode_answer=_decode_count,
    recall=find_files,
)
"""`POST /v1/messages/count_tokens`."""
