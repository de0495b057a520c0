"""The endpoint of OpenAI's embeddings."""

from __future__ import annotations

import base64
import struct
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from llmtest.types import EmbeddingRequest, EmbeddingResponse, Usage
from llmtest.wire import _ids
from llmtest.wire._answer_bodies import answered, own_fields, unreadable
from llmtest.wire._endpoint import Endpoint
from llmtest.wire._json import count, dumps
from llmtest.wire._records import ResponseMeta, WireCall, WireRequest
from llmtest.wire.openai._bodies import JSON_HEADERS, NAME, asked
from llmtest.wire.openai._checks import check_embedding

__all__ = ["EMBEDDINGS"]


def _encode_call(request: EmbeddingRequest, *, stream: bool) -> WireRequest:
    del stream
    body = {
        "input": [text if isinstance(text, str) else list(text) for text in request.inputs],
        "model": request.model,
        "encoding_format": request.encoding_format,
        **({} if request.dimensions is None else {"dimensions": request.dimensions}),
        **request.extra_for(NAME),
    }
    return WireRequest("POST", "/embeddings", JSON_HEADERS, dumps(body))


def _decode_call(
    endpoint: Endpoint, headers: Mapping[str, str], body: bytes, parameters: Mapping[str, str]
) -> WireCall:
    del parameters
    request = _request_of(asked(body))
    return WireCall(endpoint, request, request.model, api_key=endpoint.dialect.read_key(headers))


def _encode_answer(response: EmbeddingResponse, call: WireCall, meta: ResponseMeta) -> bytes:
    request = call.request
    packed = isinstance(request, EmbeddingRequest) and request.encoding_format == "base64"
    rows = [
        {"object": "embedding", "index": index, "embedding": _pack(vector) if packed else list(vector)}
        for index, vector in enumerate(response.vectors)
    ]
    tokens = response.usage.input_tokens
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    model = response.model or meta.model or call.model
    body: dict[str, Any] = {"object": "list", "data": rows, "model": model, "usage": usage}
    if call.endpoint.dialect.settings.get("names_embeddings"):
        body = {"id": "embd-" + _ids.hexadecimal(meta.number or 0, 32), "created": meta.created_s, **body}
    return dumps(body)


def _decode_answer(body: bytes, headers: Mapping[str, str]) -> EmbeddingResponse:
    del headers
    parsed = answered(body)
    rows, usage = parsed.get("data"), parsed.get("usage")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise unreadable(body, None, "holds no embeddings")
    rows = sorted(rows, key=lambda row: count(row.get("index")))
    return EmbeddingResponse(
        tuple(_vector(row.get("embedding"), body) for row in rows),
        parsed.get("model"),
        Usage(count(usage.get("prompt_tokens")) if isinstance(usage, dict) else 0),
    )


def _pack(vector: Sequence[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


def _vector(value: object, body: bytes) -> tuple[float, ...]:
    try:
        if isinstance(value, str):
            data = base64.b64decode(value, validate=True)
            return struct.unpack(f"<{len(data) // 4}f", data)
        if isinstance(value, list):
            return tuple(map(float, value))
    except (TypeError, ValueError, OverflowError, struct.error):
        pass
    raise unreadable(body, None, "has an embedding that is neither a list of numbers nor base64")


def _request_of(body: Mapping[str, Any]) -> EmbeddingRequest:
    check_embedding(body)
    value = body["input"]
    if isinstance(value, str):
        inputs: tuple[Any, ...] = (value,)
    elif isinstance(value[0], int):
        inputs = (tuple(value),)
    else:
        inputs = tuple(item if isinstance(item, str) else tuple(item) for item in value)
    encoding: Literal["float", "base64"] = "base64" if body.get("encoding_format") == "base64" else "float"
    known = {"model", "input", "encoding_format", "dimensions"}
    return EmbeddingRequest(inputs, body["model"], encoding, body.get("dimensions"), own_fields(NAME, body, known))


EMBEDDINGS = Endpoint(
    "embeddings",
    "POST",
    "/embeddings",
    gives="embeddings",
    decode_call=_decode_call,
    encode_answer=_encode_answer,
    encode_call=_encode_call,
    decode_answer=_decode_answer,
)
"""`POST /v1/embeddings`."""
