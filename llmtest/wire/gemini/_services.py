"""Gemini's embeddings and models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from llmtest.types import EmbeddingRequest, EmbeddingResponse, ModelCard, Usage
from llmtest.wire._answer_bodies import answered, own_fields, unreadable
from llmtest.wire._endpoint import Endpoint
from llmtest.wire._json import dumps
from llmtest.wire._model_lists import model_endpoints
from llmtest.wire._records import ResponseMeta, WireCall, WireRequest
from llmtest.wire.gemini._checks import asked, refuse
from llmtest.wire.gemini._generate import HEADERS, model_in

__all__ = ["BATCH_EMBED", "EMBED", "MODEL", "MODELS"]

_METHODS = ["generateContent", "countTokens", "createCachedContent", "batchGenerateContent"]


def _text_of(content: object, at: str) -> str:
    parts = content.get("parts") if isinstance(content, dict) else None
    if not isinstance(parts, list) or not parts:
        raise refuse(f"* {at}.content: content is not specified\n")
    texts = [part.get("text") if isinstance(part, dict) else None for part in parts]
    if not all(isinstance(text, str) for text in texts):
        raise refuse(f"* {at}.content: only text can be embedded\n")
    return "\n".join(texts)  # type: ignore[arg-type]  # each is a text


def _dimensions(asked_for: Mapping[str, Any]) -> int | None:
    size = asked_for.get("outputDimensionality")
    if size is None:
        return None
    if isinstance(size, bool) or not isinstance(size, int) or not 1 <= size <= 3072:
        raise refuse("* EmbedContentRequest.output_dimensionality: must be in the range [1, 3072].\n")
    return size


def _decode_embed(
    endpoint: Endpoint, headers: Mapping[str, str], body: bytes, parameters: Mapping[str, str]
) -> WireCall:
    parsed = asked(body)
    model = model_in(parameters.get("model")) or ""
    text = _text_of(parsed.get("content"), "EmbedContentRequest")
    request = EmbeddingRequest((text,), model, "float", _dimensions(parsed))
    return WireCall(endpoint, request, model, api_key=endpoint.dialect.read_key(headers) or parameters.get("key"))


def _decode_batch(
    endpoint: Endpoint, headers: Mapping[str, str], body: bytes, parameters: Mapping[str, str]
) -> WireCall:
    requests = asked(body).get("requests")
    if not isinstance(requests, list) or not requests or not all(isinstance(each, dict) for each in requests):
        raise refuse("* BatchEmbedContentsRequest.requests: requests is not specified\n")
    at = "BatchEmbedContentsRequest.requests[{}]"
    texts = tuple(_text_of(each.get("content"), at.format(place)) for place, each in enumerate(requests))
    model = model_in(parameters.get("model")) or ""
    request = EmbeddingRequest(texts, model, "float", _dimensions(requests[0]))
    return WireCall(endpoint, request, model, api_key=endpoint.dialect.read_key(headers) or parameters.get("key"))


def _encode_call(request: EmbeddingRequest, *, stream: bool) -> WireRequest:
    del stream
    size = {} if request.dimensions is None else {"outputDimensionality": request.dimensions}
    requests = [
        {"model": f"models/{request.model}", "content": {"parts": [{"text": text}]}, **size} for text in request.inputs
    ]
    return WireRequest("POST", f"/models/{request.model}:batchEmbedContents", HEADERS, dumps({"requests": requests}))


def _encode_one(response: EmbeddingResponse, call: WireCall, meta: ResponseMeta) -> bytes:
    del call, meta
    return dumps({"embedding": {"values": list(response.vectors[0])}})


def _encode_all(response: EmbeddingResponse, call: WireCall, meta: ResponseMeta) -> bytes:
    del call, meta
    return dumps({"embeddings": [{"values": list(vector)} for vector in response.vectors]})


def _decode_answer(body: bytes, headers: Mapping[str, str]) -> EmbeddingResponse:
    del headers
    parsed = answered(body)
    rows = parsed.get("embeddings", [parsed["embedding"]] if "embedding" in parsed else None)
    try:
        vectors = tuple(tuple(map(float, row["values"])) for row in rows or ())
    except (KeyError, TypeError, ValueError):
        vectors = ()
    if not vectors:
        raise unreadable(body, None, "holds no embeddings")
    # Gemini does not say what an embedding costs.
    return EmbeddingResponse(vectors, None, Usage(source="unknown"))


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
        reads_query=True,
    )


BATCH_EMBED = _embedding("/models/{model}:batchEmbedContents", _decode_batch, _encode_all)
"""`POST /v1beta/models/{model}:batchEmbedContents`."""

EMBED = _embedding("/models/{model}:embedContent", _decode_embed, _encode_one)
"""`POST /v1beta/models/{model}:embedContent`."""


def _encode_models_call(model: str | None, *, stream: bool) -> WireRequest:
    del stream
    return WireRequest("GET", "/models" if model is None else f"/models/{model}", (HEADERS[1],))


def _card(card: ModelCard) -> dict[str, Any]:
    name = model_in(card.id)
    return {
        "name": f"models/{name}",
        "version": "001",
        "displayName": card.display_name or name,
        "inputTokenLimit": card.max_input_tokens or 1_048_576,
        "outputTokenLimit": card.max_tokens or 65_536,
        "supportedGenerationMethods": ["embedContent"] if "embedding" in card.id else _METHODS,
        **card.extra_for("gemini"),
    }


def _encode_models(models: Sequence[ModelCard], call: WireCall, meta: ResponseMeta) -> bytes:
    del meta
    cards = [_card(card) for card in models]
    return dumps(cards[0] if call.operation == "model" else {"models": cards})


def _decode_card(card: Mapping[str, Any]) -> ModelCard:
    known = {"name", "displayName", "inputTokenLimit", "outputTokenLimit", "version", "supportedGenerationMethods"}
    return ModelCard(
        model_in(str(card.get("name"))) or "",
        display_name=card.get("displayName"),
        max_input_tokens=card.get("inputTokenLimit"),
        max_tokens=card.get("outputTokenLimit"),
        extra=own_fields("gemini", card, known),
    )


MODELS, MODEL = model_endpoints(
    "/models", "models", encode_call=_encode_models_call, encode_answer=_encode_models, decode_card=_decode_card
)
"""`GET /v1beta/models` and `GET /v1beta/models/{model}`."""
