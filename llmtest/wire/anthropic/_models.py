"""The endpoints that list Anthropic's models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from llmtest.types import ModelCard
from llmtest.wire._answer_bodies import answered, own_fields
from llmtest.wire._endpoint import Endpoint, call_without_body
from llmtest.wire._json import dumps
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


def _decode_answer(body: bytes, headers: Mapping[str, str]) -> tuple[ModelCard, ...]:
    del headers
    parsed = answered(body)
    found = parsed.get("data") if isinstance(parsed.get("data"), list) else [parsed]
    return tuple(_decode_card(card) for card in found or () if isinstance(card, dict))


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


MODELS = _endpoint("models", "/v1/models")
"""`GET /v1/models`."""

MODEL = _endpoint("model", "/v1/models/{model}")
"""`GET /v1/models/{model}`."""
