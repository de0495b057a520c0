"""The endpoints that list Anthropic's models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from llmtest.types import ModelCard
from llmtest.wire._answer_bodies import own_fields
from llmtest.wire._endpoint import Endpoint
from llmtest.wire._json import dumps
from llmtest.wire._model_lists import model_endpoints
from llmtest.wire._records import ResponseMeta, WireCall, WireRequest
from llmtest.wire.anthropic._bodies import HEADERS, NAME
from llmtest.wire.anthropic._services import limit_of, page

__all__ = ["MODEL", "MODELS"]

_LINES = ("fable", "haiku", "mythos", "opus", "sonnet")
_PLAIN: dict[str, object] = {"lifecycle": "active", "deprecated_at": None, "retires_at": None}
"""What is said of every model that nobody says more of."""


def _encode_call(model: str | None, *, stream: bool) -> WireRequest:
    del stream
    return WireRequest("GET", "/v1/models" if model is None else f"/v1/models/{model}", (HEADERS[1],))


def _decode_call(
    endpoint: Endpoint, headers: Mapping[str, str], body: bytes, parameters: Mapping[str, str]
) -> WireCall:
    del body
    limit_of(parameters)
    key = endpoint.dialect.read_key(headers)
    return WireCall(endpoint, None, parameters.get("model"), api_key=key, shaping=parameters)


def _encode_answer(models: Sequence[ModelCard], call: WireCall, meta: ResponseMeta) -> bytes:
    cards = [_encode_card(card, meta) for card in models]
    if call.operation == "model":
        return dumps(cards[0])
    return dumps(page(cards, call.shaping))


def _encode_card(card: ModelCard, meta: ResponseMeta) -> dict[str, Any]:
    created = datetime.fromtimestamp(card.created_s or meta.created_s, UTC)
    found: dict[str, Any] = {
        "type": "model",
        "id": card.id,
        "display_name": card.display_name or card.id,
        "created_at": created.strftime("%Y-%m-%dT%H:%M:%SZ"),
        **_PLAIN,
        "line": _line(card.id),
    }
    if card.max_input_tokens is not None:
        found["max_input_tokens"] = card.max_input_tokens
    if card.max_tokens is not None:
        found["max_tokens"] = card.max_tokens
    found.update(card.extra_for(NAME))
    return found


def _line(model: str) -> str | None:
    """Return the line that the name of a model tells; None where it tells none."""
    return next((line for line in _LINES if f"-{line}" in model), None)


def _decode_card(card: Mapping[str, Any]) -> ModelCard:
    try:
        created = int(datetime.fromisoformat(str(card.get("created_at"))).timestamp())
    except ValueError:
        created = 0
    known = {"type", "id", "display_name", "created_at", "max_input_tokens", "max_tokens"}
    card = {name: value for name, value in card.items() if name not in _PLAIN or value != _PLAIN[name]}
    if card.get("line") == _line(str(card.get("id"))):
        known.add("line")
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
    "/v1/models",
    "data",
    encode_call=_encode_call,
    encode_answer=_encode_answer,
    decode_card=_decode_card,
    decode_call=_decode_call,
)
"""`GET /v1/models` and `GET /v1/models/{model}`."""
