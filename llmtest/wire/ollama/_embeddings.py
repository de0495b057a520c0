"""Ollama's embeddings: `/api/embed`, and `/api/embeddings` as it was before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmtest.errors import NotSupportedError
from llmtest.types import UNKNOWN_USAGE, EmbeddingRequest, EmbeddingResponse, Usage
from llmtest.wire._answer_bodies import answered, own_fields, unreadable
from llmtest.wire._endpoint import Endpoint
from llmtest.wire._json import count, dumps
from llmtest.wire._records import ResponseMeta, WireCall, WireRequest
from llmtest.wire.ollama._chat import HEADERS
from llmtest.wire.ollama._checks import asked, named, refuse
from llmtest.wire.ollama._errors import decode_line
from llmtest.wire.ollama.native._parts import DIALECT

__all__ = ["EMBED", "EMBEDDINGS"]

_KNOWN = frozenset({"model", "input", "prompt", "dimensions"})


def _request(body: Mapping[str, Any], inputs: tuple[str, ...], model: str) -> EmbeddingRequest:
    size = body.get("dimensions")
    if size is not None and (isinstance(size, bool) or not isinstance(size, int) or size < 0):
        raise refuse("json: cannot unmarshal into Go struct field EmbedRequest.dimensions of type int")
    return EmbeddingRequest(inputs, model, "float", size or None, own_fields(DIALECT, body, _KNOWN))


def _decode_embed(
    endpoint: Endpoint, headers: Mapping[str, str], body: bytes, parameters: Mapping[str, str]
) -> WireCall:
    del parameters
    parsed = asked(body)
    model = named(parsed)
    given = parsed.get("input")
    inputs = [given] if isinstance(given, str) else given
    if not isinstance(inputs, list) or not all(isinstance(text, str) for text in inputs):
        raise refuse("invalid input type")
    request = _request(parsed, tuple(inputs), model)
    return WireCall(endpoint, request, model, api_key=endpoint.dialect.read_key(headers))


def _decode_one(endpoint: Endpoint, headers: Mapping[str, str], body: bytes, parameters: Mapping[str, str]) -> WireCall:
    del parameters
    parsed = asked(body)
    model = named(parsed)
    prompt = parsed.get("prompt", "")
    if not isinstance(prompt, str):
        raise refuse("json: cannot unmarshal into Go struct field EmbeddingRequest.prompt of type string")
    request = _request(parsed, (prompt,), model)
    return WireCall(endpoint, request, model, api_key=endpoint.dialect.read_key(headers))


def _encode_call(request: EmbeddingRequest, *, stream: bool) -> WireRequest:
    del stream
    if not all(isinstance(text, str) for text in request.inputs):
        raise NotSupportedError(f"{DIALECT}: only texts are embedded, not lists of tokens", model=request.model)
    size = {} if request.dimensions is None else {"dimensions": request.dimensions}
    body = {"model": request.model, "input": list(request.inputs), **size, **request.extra_for(DIALECT)}
    return WireRequest("POST", "/embed", HEADERS, dumps(body))


def _encode_all(response: EmbeddingResponse, call: WireCall, meta: ResponseMeta) -> bytes:
    tokens = response.usage.input_tokens
    return dumps(
        {
            "model": response.model or meta.model or call.model,
            "embeddings": [list(vector) for vector in response.vectors],
            "total_duration": 1_000_000 + tokens * 200_000,
            "load_duration": 1_000_000,
            "prompt_eval_count": tokens,
        }
    )


def _encode_one(response: EmbeddingResponse, call: WireCall, meta: ResponseMeta) -> bytes:
    del call, meta
    return dumps({"embedding": list(response.vectors[0])})


def _decode_answer(body: bytes, headers: Mapping[str, str]) -> EmbeddingResponse:
    del headers
    parsed = answered(body)
    if parsed.get("error"):
        raise decode_line(parsed)
    rows = parsed.get("embeddings", [parsed["embedding"]] if "embedding" in parsed else None)
    try:
        vectors = tuple(tuple(map(float, row)) for row in rows or ())
    except (TypeError, ValueError):
        vectors = ()
    if not vectors:
        raise unreadable(body, None, "holds no embeddings")
    model, tokens = parsed.get("model"), parsed.get("prompt_eval_count")
    usage = UNKNOWN_USAGE if tokens is None else Usage(count(tokens))
    return EmbeddingResponse(vectors, model if isinstance(model, str) else None, usage)


def _embedding(pattern: str, decode_call: Any, encode_answer: Any) -> Endpoint:
    return Endpoint(
        "embeddings",
        "POST",
        pattern,
        gives="embeddings",
        decode_call=decode_call,
        encode_answer=encode_answer,
        encode_call=_encode_call,
        decode_answer=_decode_answer,
    )


EMBED = _embedding("/embed", _decode_embed, _encode_all)
"""`POST /api/embed`."""

EMBEDDINGS = _embedding("/embeddings", _decode_one, _encode_one)
"""`POST /api/embeddings`, one prompt at a time."""
