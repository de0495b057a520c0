"""Cohere's embeddings, ranks and models."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from llmtest.types import EmbeddingRequest, EmbeddingResponse, ModelCard, Usage
from llmtest.wire import _ids
from llmtest.wire._answer_bodies import answered, own_fields, unreadable
from llmtest.wire._endpoint import Endpoint
from llmtest.wire._json import count, dumps
from llmtest.wire._model_lists import model_endpoints
from llmtest.wire._records import ResponseMeta, WireCall, WireRequest
from llmtest.wire._store import Store
from llmtest.wire.cohere._request import NAME
from llmtest.wire.openai._bodies import JSON_HEADERS, asked
from llmtest.wire.openai._checks import refuse
from llmtest.wire.openai._services import service

__all__ = ["EMBED", "MODELS", "RERANK", "rank"]

_VERSION = {"version": "2"}


def _encode_embed(request: EmbeddingRequest, *, stream: bool) -> WireRequest:
    del stream
    body = {
        "model": request.model,
        "texts": list(request.inputs),
        "input_type": "search_document",
        "embedding_types": ["float"],
        **({} if request.dimensions is None else {"output_dimension": request.dimensions}),
        **request.extra_for(NAME),
    }
    return WireRequest("POST", "/v2/embed", JSON_HEADERS, dumps(body))


def _decode_embed(
    endpoint: Endpoint, headers: Mapping[str, str], body: bytes, parameters: Mapping[str, str]
) -> WireCall:
    del parameters
    parsed = asked(body)
    texts, model = parsed.get("texts"), parsed.get("model")
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
        raise refuse("invalid request: texts must be a list of strings with at least one of them")
    known = {"model", "texts", "output_dimension", "input_type", "embedding_types"}
    usual = {"input_type": "search_document", "embedding_types": ["float"]}
    kept = own_fields(NAME, parsed, known).get(NAME, {})
    kept.update((name, parsed[name]) for name in usual if name in parsed and parsed[name] != usual[name])
    extra = {NAME: kept} if kept else {}
    request = EmbeddingRequest(tuple(texts), model, "float", parsed.get("output_dimension"), extra)
    return WireCall(endpoint, request, model, api_key=endpoint.dialect.read_key(headers))


def _embedded(response: EmbeddingResponse, call: WireCall, meta: ResponseMeta) -> bytes:
    request = call.request
    texts = list(request.inputs) if isinstance(request, EmbeddingRequest) else []
    body = {
        "id": _ids.uuid(meta.number or 0),
        "texts": texts,
        "embeddings": {"float": [list(vector) for vector in response.vectors]},
        "meta": {"api_version": _VERSION, "billed_units": {"input_tokens": response.usage.input_tokens}},
        "response_type": "embeddings_by_type",
    }
    return dumps(body)


def _decode_embedded(body: bytes, headers: Mapping[str, str]) -> EmbeddingResponse:
    del headers
    parsed = answered(body)
    rows = parsed.get("embeddings")
    rows = rows.get("float") if isinstance(rows, dict) else rows
    try:
        vectors = tuple(tuple(map(float, row)) for row in rows or ())
    except (TypeError, ValueError):
        vectors = ()
    if not vectors:
        raise unreadable(body, None, "holds no embeddings")
    told = parsed.get("meta")
    billed = told.get("billed_units") if isinstance(told, dict) else None
    return EmbeddingResponse(vectors, None, Usage(count((billed or {}).get("input_tokens"))))


EMBED = Endpoint(
    "embeddings",
    "POST",
    "/v2/embed",
    gives="embeddings",
    decode_call=_decode_embed,
    encode_answer=_embedded,
    encode_call=_encode_embed,
    decode_answer=_decode_embedded,
)
"""`POST /v2/embed`."""


def _words(text: object) -> set[str]:
    return set(re.findall(r"\w+", str(text).lower()))


def rank(call: WireCall, meta: ResponseMeta, store: Store) -> dict[str, Any]:
    """Answer with the documents that share the most words with the query first."""
    del store
    documents = call.shaping.get("documents")
    if not isinstance(documents, list) or not documents:
        raise refuse("invalid request: list of documents must not be empty")
    wanted = _words(call.shaping.get("query"))
    scores = [round(len(wanted & _words(each)) / (len(wanted) or 1), 7) for each in documents]
    order = sorted(range(len(documents)), key=lambda place: (-scores[place], place))
    most = call.shaping.get("top_n")
    kept = order[:most] if type(most) is int else order
    return {
        "id": _ids.uuid(meta.number or 0),
        "results": [{"index": place, "relevance_score": scores[place]} for place in kept],
        "meta": {"api_version": _VERSION, "billed_units": {"search_units": -(-len(documents) // 100)}},
    }


RERANK = service("rerank", "POST", "/v2/rerank", rank)
"""`POST /v2/rerank`."""


def _ask_models(model: str | None, *, stream: bool) -> WireRequest:
    del stream
    return WireRequest("GET", "/v1/models" if model is None else f"/v1/models/{model}", (JSON_HEADERS[1],))


def _encode_models(models: Sequence[ModelCard], call: WireCall, meta: ResponseMeta) -> bytes:
    del meta
    cards = [
        {
            "name": card.id,
            "endpoints": ["embed"] if card.id.startswith("embed") else ["chat"],
            "finetuned": False,
            "context_length": card.max_input_tokens or 128_000,
            **card.extra_for(NAME),
        }
        for card in models
    ]
    return dumps(cards[0] if call.operation == "model" else {"models": cards, "next_page_token": None})


def _decode_card(card: Mapping[str, Any]) -> ModelCard:
    window = count(card.get("context_length")) or None
    extra = own_fields(NAME, card, {"name", "endpoints", "finetuned", "context_length"})
    return ModelCard(str(card.get("name")), 0, NAME, max_input_tokens=window, extra=extra)


MODELS = model_endpoints(
    "/v1/models", "models", encode_call=_ask_models, encode_answer=_encode_models, decode_card=_decode_card
)
"""`GET /v1/models` and `/v1/models/{model}`, which the second version has not moved."""
