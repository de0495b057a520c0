"""The endpoints that list OpenAI's models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from llmtest.types import ModelCard
from llmtest.wire._answer_bodies import own_fields
from llmtest.wire._json import count, dumps
from llmtest.wire._model_lists import model_endpoints
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


def _decode_card(card: Mapping[str, Any]) -> ModelCard:
    known = {"id", "created", "owned_by", "object"}
    return ModelCard(
        str(card.get("id")), count(card.get("created")), card.get("owned_by"), extra=own_fields(NAME, card, known)
    )


MODELS, MODEL = model_endpoints(
    "/models", "data", encode_call=_encode_call, encode_answer=_encode_answer, decode_card=_decode_card
)
"""`GET /v1/models` and `GET /v1/models/{model}`."""
