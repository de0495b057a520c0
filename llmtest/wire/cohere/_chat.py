"""The endpoint of Cohere's `/v2/chat`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from llmtest.types import CompletionRequest, CompletionResponse
from llmtest.wire._answer_bodies import answered
from llmtest.wire._endpoint import Endpoint
from llmtest.wire._headers import header
from llmtest.wire._json import dumps
from llmtest.wire._records import ResponseMeta, StreamDecoder, WireCall, WireRequest
from llmtest.wire.cohere._answer import answer_body, decode_body
from llmtest.wire.cohere._likely import likely_as_asked
from llmtest.wire.cohere._request import decode_request, encode_request, refuse_unsayable
from llmtest.wire.cohere._stream import CohereStreamDecoder, encode_stream
from llmtest.wire.framing import SSE, Framing
from llmtest.wire.openai._bodies import JSON_HEADERS, STREAM_HEADERS, asked

__all__ = ["CHAT", "TRACE", "conversation"]

TRACE = "x-debug-trace-id"
_STREAM = Framing("sse", "text/event-stream", SSE.separator, SSE.parser, SSE.starts)


def _encode_call(request: CompletionRequest, *, stream: bool) -> WireRequest:
    body = dumps(encode_request(request, stream=stream))
    return WireRequest("POST", "/v2/chat", STREAM_HEADERS if stream else JSON_HEADERS, body)


def _encode_answer(response: CompletionResponse, call: WireCall, meta: ResponseMeta) -> bytes:
    return dumps(answer_body(likely_as_asked(response, call), meta))


def conversation(
    pattern: str,
    *,
    encode_call: Callable[..., WireRequest],
    decode_request: Callable[[dict[str, Any]], CompletionRequest],
    refuse: Callable[[Any], None],
    encode_answer: Callable[[Any, WireCall, ResponseMeta], bytes],
    decode_body: Callable[[Any, str | None], CompletionResponse],
    framing: Framing,
    encode_stream: Callable[..., list[bytes]],
    decoder: Callable[[str | None], StreamDecoder],
) -> Endpoint:
    """Return the endpoint of a version that completes conversations; what is around its words is the same in each."""

    def decode_call(
        endpoint: Endpoint, headers: Mapping[str, str], body: bytes, parameters: Mapping[str, str]
    ) -> WireCall:
        del parameters
        request = decode_request(asked(body))
        key = endpoint.dialect.read_key(headers)
        return WireCall(endpoint, request, request.model, request.stream, key, include_usage=True)

    def decode_answer(body: bytes, headers: Mapping[str, str]) -> CompletionResponse:
        request_id = header(headers, TRACE)
        return decode_body(answered(body, request_id), request_id)

    return Endpoint(
        "chat",
        "POST",
        pattern,
        gives="completion",
        decode_call=decode_call,
        encode_answer=encode_answer,
        encode_call=encode_call,
        decode_answer=decode_answer,
        refuse_unsayable=refuse,
        framing=framing,
        encode_stream=encode_stream,
        stream_decoder=lambda headers: decoder(header(headers, TRACE) if headers else None),
    )


CHAT = conversation(
    "/v2/chat",
    encode_call=_encode_call,
    decode_request=decode_request,
    refuse=refuse_unsayable,
    encode_answer=_encode_answer,
    decode_body=decode_body,
    framing=_STREAM,
    encode_stream=encode_stream,
    decoder=CohereStreamDecoder,
)
"""`POST /v2/chat`."""
