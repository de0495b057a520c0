"""The endpoints that list Anthropic's models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from llmtest.types import ModelCard
from llmtest.wire._answer_bodies import own_fields
from llmtest.wire._json import dumps
from llmtest.wire._model_lists import model_endpoints
from llmtest.wire._records import ResponseMeta, WireCall, WireRequest
from llmtest.wire.anthropic._bodies import HEADERS, NAME

__all__ = ["MODEL", "MODELS"]


def _encode_call(model: str | None, *, stream: bool) -> WireRequest:
    del stream
    return WireRequest("GET", "/v1/models" if model is None else f"/v1/models/{model}", (HEADERS[1],))


def _encode_answer(models: Sequence[ModelCard], call: WireCall, meta: ResponseMeta) -> bytes:
    cards = [_encode_card(card, meta) for card in models]
    if call.operation == "model":
        return dumps(cards[0])
    first, last = (cards[0]["id"], cards[-1]["id"]) if cards else (None, None)
    return dumps({"data": cards, "has_more": False, "first_id": first, "last_id": last})


def _encode_card(card: ModelCard, meta: ResponseMeta) -> dict[str, Any]:
    created = datetime.fromtimestamp(card.created_s or meta.created_s, UTC)
    found: dict[str, Any] = {
        "type": "model",
        "id": card.id,
        "display_name": card.display_name or card.id,
        "created_at": created.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    if card.max_input_tokens is not None:
        found["max_input_tokens"] = card.max_input_tokens
    if card.max_tokens is not None:
        found["max_tokens"] = card.max_tokens
    found.update(card.extra_for(NAME))
    return found


def _decode_card(card: Mapping[str, Any]) -> ModelCard:
    try:
        created = int(datetime.fromisoformat(str(card.get("created_at"))).timestamp())
    except ValueError:
        created = 0
    known = {"type", "id", "display_name", "created_at", "max_input_tokens", "max_tokens"}
    return ModelCard(
        str(card.get("id")),
        created,
        None,
        card.get("display_name"),
        card.get("max_input_tokens"),
        card.get("max_tokens"),
        own_fields(NAME, card, known),
    )


MODELS, MODEL = model_endpoints(
    "/v1/models", "data", encode_call=_encode_call, encode_answer=_encode_answer, decode_card=_decode_card
)
"""`GET /v1/models` and `GET /v1/models/{model}`."""
