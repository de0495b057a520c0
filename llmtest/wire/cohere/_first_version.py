"""The endpoints of Cohere's first version, which its older clients call: chat, embeddings, ranks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmtest.types import CompletionRequest, CompletionResponse, EmbeddingRequest, EmbeddingResponse
from llmtest.wire import _ids
from llmtest.wire._endpoint import Endpoint
from llmtest.wire._json import dumps
from llmtest.wire._records import ResponseMeta, WireCall, WireRequest
from llmtest.wire._store import Store
from llmtest.wire.cohere._chat import conversation
from llmtest.wire.cohere._services import EMBED, rank
from llmtest.wire.cohere.v1._answer import VERSION, answer_body, decode_body
from llmtest.wire.cohere.v1._request import decode_request, encode_request, refuse_unsayable
from llmtest.wire.cohere.v1._stream import FirstVersionDecoder, encode_stream
from llmtest.wire.framing import JSON_LINES
from llmtest.wire.openai._bodies import JSON_HEADERS, asked
from llmtest.wire.openai._services import service

__all__ = ["FIRST_VERSION"]


def _encode_call(request: CompletionRequest, *, stream: bool) -> WireRequest:
    return WireRequest("POST", "/v1/chat", JSON_HEADERS, dumps(encode_request(request, stream=stream)))


def _encode_answer(response: CompletionResponse, call: WireCall, meta: ResponseMeta) -> bytes:
    return dumps(answer_body(response, call, meta))


_CHAT = conversation(
    "/v1/chat",
    encode_call=_encode_call,
    decode_request=decode_request,
    refuse=refuse_unsayable,
    encode_answer=_encode_answer,
    decode_body=decode_body,
    framing=JSON_LINES,
    encode_stream=encode_stream,
    decoder=FirstVersionDecoder,
)


def _encode_embed(request: EmbeddingRequest, *, stream: bool) -> WireRequest:
    wire = EMBED.encode_call(request, stream=stream)
    return WireRequest(wire.method, "/v1/embed", wire.headers, wire.body)


def _decode_embed(
    endpoint: Endpoint, headers: Mapping[str, str], body: bytes, parameters: Mapping[str, str]
) -> WireCall:
    call = EMBED.decode_call(endpoint, headers, body, parameters)
    call.shaping = {"by_type": bool(asked(body).get("embedding_types"))}
    return call


def _embedded(response: EmbeddingResponse, call: WireCall, meta: ResponseMeta) -> bytes:
    vectors = [list(vector) for vector in response.vectors]
    by_type = call.shaping["by_type"]
    request = call.request
    return dumps(
        {
            "id": _ids.uuid(meta.number or 0),
            "texts": list(request.inputs) if isinstance(request, EmbeddingRequest) else [],
            "embeddings": {"float": vectors} if by_type else vectors,
            "meta": {"api_version": VERSION, "billed_units": {"input_tokens": response.usage.input_tokens}},
            "response_type": "embeddings_by_type" if by_type else "embeddings_floats",
        }
    )


def _ranked(call: WireCall, meta: ResponseMeta, store: Store) -> dict[str, Any]:
    found = rank(call, meta, store)
    found["meta"] = {**found["meta"], "api_version": VERSION}
    if call.shaping.get("return_documents") is True:
        documents = call.shaping["documents"]
        for each in found["results"]:
            told = documents[each["index"]]
            each["document"] = told if isinstance(told, dict) else {"text": str(told)}
    return found


FIRST_VERSION = (
    _CHAT,
    EMBED.at("/v1/embed", decode_call=_decode_embed, encode_call=_encode_embed, encode_answer=_embedded),
    service("rerank", "POST", "/v1/rerank", _ranked),
)
"""`POST /v1/chat`, `/v1/embed` and `/v1/rerank`."""
