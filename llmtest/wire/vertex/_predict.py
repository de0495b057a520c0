"""The endpoints of Vertex AI that ask a model of Anthropic: answers, whole and streamed, and token counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import quote, unquote

from llmtest.types import CompletionRequest, CompletionResponse
from llmtest.wire._endpoint import Endpoint
from llmtest.wire._json import dumps
from llmtest.wire._records import Headers, ResponseMeta, WireCall, WireRequest
from llmtest.wire.anthropic._chat import COUNT_TOKENS as PLAIN_COUNT
from llmtest.wire.anthropic._chat import MESSAGES
from llmtest.wire.anthropic._hosted import hosted_body, hosted_call, plain_model
from llmtest.wire.anthropic.messages import _response, _stream
from llmtest.wire.anthropic.messages._options import refuse_unsayable

__all__ = ["COUNT_TOKENS", "PREDICT", "STREAM", "VERSION"]

VERSION = "vertex-2023-10-16"
"""https://docs.cloud.google.com/vertex-ai/generative-ai/docs/partner-models/claude/use-claude"""

HEADERS: Headers = (("content-type", "application/json"),)
_PROJECT = "/projects/{project}/locations/{location}"
_PUBLISHER = "/publishers/anthropic/models"
_BELOW = "/publishers/{publisher}/models"
"""What a base URL of our own layer, which ends in project and location, is continued with."""


def _encode_call(request: CompletionRequest, *, stream: bool) -> WireRequest:
    method = "streamRawPredict" if stream else "rawPredict"
    path = f"{_PUBLISHER}/{quote(request.model or '', safe='@')}:{method}"
    return WireRequest("POST", path, HEADERS, dumps(hosted_body(request, VERSION, stream=stream)))


def _decode_call(
    endpoint: Endpoint, headers: Mapping[str, str], body: bytes, parameters: Mapping[str, str]
) -> WireCall:
    return hosted_call(endpoint, headers, body, unquote(parameters["model"]), stream=False)


def _decode_stream_call(
    endpoint: Endpoint, headers: Mapping[str, str], body: bytes, parameters: Mapping[str, str]
) -> WireCall:
    return hosted_call(endpoint, headers, body, unquote(parameters["model"]), stream=True)


def _decode_count_call(
    endpoint: Endpoint, headers: Mapping[str, str], body: bytes, parameters: Mapping[str, str]
) -> WireCall:
    del parameters
    return hosted_call(endpoint, headers, body, None, stream=False, limit_required=False)


def _as_said(response: CompletionResponse, meta: ResponseMeta) -> CompletionResponse:
    """Return an answer with the model as Anthropic itself calls it."""
    return replace(response, model=plain_model(response.model or meta.model))


def _encode_answer(response: CompletionResponse, call: WireCall, meta: ResponseMeta) -> bytes:  # noqa: ARG001 - every endpoint takes it
    return _response.encode_bytes(_as_said(response, meta), meta)


def _encode_stream(
    response: CompletionResponse, call: WireCall, meta: ResponseMeta, chunks: Sequence[str] | None
) -> list[bytes]:
    del call
    return _stream.encode_stream(_as_said(response, meta), meta, chunks)


def _encode_count_call(request: CompletionRequest, *, stream: bool) -> WireRequest:
    del stream
    body = {"model": request.model, **hosted_body(request, VERSION, stream=False)}
    del body["max_tokens"]
    return WireRequest("POST", f"{_PUBLISHER}/count-tokens:rawPredict", HEADERS, dumps(body))


def _both(operation: str, end: str, **fields: Any) -> tuple[Endpoint, Endpoint]:
    """Return an endpoint at its full address, and where a base URL has named project and location already."""
    first, second = (
        Endpoint(operation, "POST", f"{start}/{end}", **fields) for start in (_PROJECT + _PUBLISHER, _BELOW)
    )
    return first, second


_CHAT: Mapping[str, Any] = {
    "gives": "completion",
    "encode_answer": _encode_answer,
    "encode_call": _encode_call,
    "decode_answer": MESSAGES.decode_answer,
    "refuse_unsayable": refuse_unsayable,
    "encode_stream": _encode_stream,
    "stream_decoder": MESSAGES.stream_decoder,
    "keep_alive": _stream.PING,
}

PREDICT = _both("chat", "{model}:rawPredict", decode_call=_decode_call, **_CHAT)
"""`POST .../models/{model}:rawPredict`."""

STREAM = _both("chat", "{model}:streamRawPredict", decode_call=_decode_stream_call, **_CHAT)
"""`POST .../models/{model}:streamRawPredict`."""

COUNT_TOKENS = _both(
    "count_tokens",
    "count-tokens:rawPredict",
    gives="token_count",
    decode_call=_decode_count_call,
    encode_answer=PLAIN_COUNT.encode_answer,
    encode_call=_encode_count_call,
    decode_answer=PLAIN_COUNT.decode_answer,
)
"""`POST .../models/count-tokens:rawPredict`; the model is in the body."""
