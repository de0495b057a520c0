"""The endpoint of OpenAI's Chat Completions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from llmtest.errors import ProviderError
from llmtest.types import CompletionRequest, CompletionResponse
from llmtest.wire._answer_bodies import answered
from llmtest.wire._endpoint import Endpoint
from llmtest.wire._headers import header
from llmtest.wire._json import dumps
from llmtest.wire._records import NO_FIELDS, ResponseMeta, StreamDecoder, WireCall, WireRequest
from llmtest.wire.openai import _errors
from llmtest.wire.openai._bodies import JSON_HEADERS, STREAM_HEADERS, asked
from llmtest.wire.openai._stored_chat import keep
from llmtest.wire.openai.chat import _request, _response, _stream, _stream_writer
from llmtest.wire.openai.chat._options import refuse_unsayable, shaping

__all__ = ["CHAT"]


_NONE: frozenset[str] = frozenset()


def _encode_call(request: CompletionRequest, *, stream: bool) -> WireRequest:
    body = dumps(_request.encode_body(request, stream=stream))
    return WireRequest("POST", "/chat/completions", STREAM_HEADERS if stream else JSON_HEADERS, body)


def _decode_call(
    endpoint: Endpoint, headers: Mapping[str, str], body: bytes, parameters: Mapping[str, str]
) -> WireCall:
    del parameters
    parsed = asked(body)
    options: Mapping[str, Any] = NO_FIELDS
    is_stream = parsed.get("stream") is True
    if is_stream and isinstance(parsed.get("stream_options"), dict):
        options = parsed.pop("stream_options")
    dialect = endpoint.dialect
    is_openai = dialect.settings.get("is_openai") is True
    settings = dialect.settings
    further = settings.get("further_fields", _NONE) if settings.get("is_strict") else None
    completion, unread = _request.decode_call(parsed, strict=further)
    wanted = shaping(parsed, is_openai=is_openai)
    return WireCall(
        endpoint,
        completion,
        parsed["model"],
        is_stream,
        dialect.read_key(headers),
        options.get("include_usage") is True,
        bool(dialect.settings.get("obfuscates")) and options.get("include_obfuscation") is not False,
        unread,
        parsed.get("n") or 1,
        _kept(wanted, parsed) if is_openai and parsed.get("store") is True else wanted,
    )


def _kept(wanted: Mapping[str, Any], body: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what an answer depends on, with the whole request, of which a stored completion shows a part."""
    return {**wanted, "stored": body}


def _encode_answer(response: CompletionResponse, call: WireCall, meta: ResponseMeta) -> bytes:
    is_openai = call.endpoint.dialect.settings.get("is_openai") is True
    return _response.encode_bytes(response, meta, call.shaping, is_openai=is_openai)


def _encode_stream(
    response: CompletionResponse, call: WireCall, meta: ResponseMeta, chunks: Sequence[str] | None
) -> list[bytes]:
    return _stream_writer.encode_stream(response, call, meta, chunks)


def _decode_answer(body: bytes, headers: Mapping[str, str]) -> CompletionResponse:
    request_id = header(headers, "x-request-id")
    parsed = answered(body, request_id)
    if parsed.get("error") and not parsed.get("choices"):
        failure = _errors.decode_stream_error(parsed)
        failure.request_id = request_id
        raise failure
    try:
        return _response.decode_body(parsed, request_id)
    except ProviderError as error:
        error.body = body
        raise


def _stream_decoder(headers: Mapping[str, str] | None) -> StreamDecoder:
    request_id = header(headers, "x-request-id") if headers else None
    return _stream.OpenAIStreamDecoder(_errors.decode_stream_error, request_id)


def _lenient_decoder(headers: Mapping[str, str] | None) -> StreamDecoder:
    request_id = header(headers, "x-request-id") if headers else None
    return _stream.LenientStreamDecoder(_errors.decode_stream_error, request_id)


CHAT = Endpoint(
    "chat",
    "POST",
    "/chat/completions",
    gives="completion",
    decode_call=_decode_call,
    encode_answer=_encode_answer,
    encode_call=_encode_call,
    decode_answer=_decode_answer,
    refuse_unsayable=refuse_unsayable,
    encode_stream=_encode_stream,
    stream_decoder=_stream_decoder,
    keep=keep,
)
"""`POST /v1/chat/completions`."""

COMPATIBLE_CHAT = CHAT.at("/chat/completions", stream_decoder=_lenient_decoder)
"""The same of servers that speak like OpenAI, some of which end a stream without `[DONE]`."""
