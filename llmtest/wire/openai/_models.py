"""The endpoints that list OpenAI's models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from llmtest.types import ModelCard
from llmtest.wire._answer_bodies import answered, own_fields
from llmtest.wire._endpoint import Endpoint, call_without_body
from llmtest.wire._json import count, dumps
from llmtest.wire._records import ResponseMeta, WireCall, WireRequest
from llmtest.wire.openai._bodies import JSON_HEADERS, NAME

__all__ = ["MODEL", "MODELS"]


def _encode_call(model: str | None, *, stream: bool) -> WireRequest:
    del stream
    return WireRequest("GET", "/models" if model is None else f"/models/{model}", (JSON_HEADERS[1],))


def _encode_answer(models: Sequence[ModelCard], call: WireCall, meta: ResponseMeta) -> bytes:
    cards = [
        {
            "id": card.id,
            "object": "model",
            "created": card.created_s or meta.created_s,
            "owned_by": card.owned_by or "system",
            **card.extra_for(NAME),
        }
        for card in models
    ]
    return dumps(cards[0] if call.operation == "model" else {"object": "list", "data": cards})


def _decode_answer(body: bytes, headers: Mapping[str, str]) -> tuple[ModelCard, ...]:
    del headers
    parsed = answered(body)
    found = parsed.get("data") if isinstance(parsed.get("data"), list) else [parsed]
    known = {"id", "created", "owned_by", "object"}
    return tuple(
        ModelCard(
            str(card.get("id")),
            count(card.get("created")),
            card.get("owned_by"),
            extra=own_fields(NAME, card, known),
        )
        for card in found or ()
        if isinstance(card, dict)
    )


def _endpoint(operation: str, pattern: str) -> Endpoint:
    return Endpoint(
        operation,
        "GET",
        pattern,
        gives="models",
        decode_call=call_without_body,
        encode_answer=_encode_answer,
        encode_call=_encode_call,
        decode_answer=_decode_answer,
    )


MODELS = _endpoint("models", "/models")
"""`GET /v1/models`."""

MODEL = _endpoint("model", "/models/{model}")
"""`GET /v1/models/{model}`."""
