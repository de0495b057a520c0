"""What OpenRouter tells of models, keys, credits and answers that were given."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from llmtest.errors import InvalidRequestError
from llmtest.types import ModelCard
from llmtest.wire._answer_bodies import answered, own_fields
from llmtest.wire._endpoint import Endpoint
from llmtest.wire._json import count, dumps
from llmtest.wire._records import ResponseMeta, WireCall, WireFormatError
from llmtest.wire._store import Store
from llmtest.wire.openai._bodies import NAME
from llmtest.wire.openai._models import MODELS as OPENAI_MODELS
from llmtest.wire.openrouter._chat import GENERATIONS, SPENT

__all__ = ["ACCOUNT", "MODELS"]

_PARAMETERS = [
    "max_tokens",
    "temperature",
    "top_p",
    "stop",
    "seed",
    "tools",
    "tool_choice",
    "response_format",
    "structured_outputs",
    "reasoning",
    "include_reasoning",
]
_CREDITS = 100.0


def _decode_call(
    endpoint: Endpoint, headers: Mapping[str, str], body: bytes, parameters: Mapping[str, str]
) -> WireCall:
    del body
    return WireCall(endpoint, api_key=endpoint.dialect.read_key(headers), shaping=dict(parameters))


def _encode(data: Any, call: WireCall, meta: ResponseMeta) -> bytes:
    del call, meta
    return dumps({"data": data})


def _generation(call: WireCall, meta: ResponseMeta, store: Store) -> dict[str, Any]:
    del meta
    identity = call.shaping.get("id")
    found: dict[str, Any] | None = store.table(GENERATIONS).get(str(identity))
    if found is None:
        raise WireFormatError(InvalidRequestError(f"Generation {identity} not found", status=404))
    return found


def _key(call: WireCall, meta: ResponseMeta, store: Store) -> dict[str, Any]:
    del meta
    spent = store.table(SPENT).get(call.api_key or "", 0.0)
    key = call.api_key or "sk-or-v1-000"
    return {
        "label": f"{key[:12]}...{key[-3:]}",
        "limit": None,
        "limit_remaining": None,
        "limit_reset": None,
        "usage": spent,
        "usage_daily": spent,
        "usage_weekly": spent,
        "usage_monthly": spent,
        "byok_usage": 0,
        "is_free_tier": False,
        "is_provisioning_key": False,
        "rate_limit": {"requests": -1, "interval": "10s", "note": "This field is deprecated and safe to ignore."},
    }


def _credits(call: WireCall, meta: ResponseMeta, store: Store) -> dict[str, Any]:
    del call, meta
    return {"total_credits": _CREDITS, "total_usage": sum(store.table(SPENT).values())}


def _service(
    operation: str, pattern: str, default: Callable[[WireCall, ResponseMeta, Store], Any], *, reads_query: bool = False
) -> Endpoint:
    return Endpoint(
        operation,
        "GET",
        pattern,
        decode_call=_decode_call,
        encode_answer=_encode,
        default=default,
        reads_query=reads_query,
    )


ACCOUNT = (
    _service("generation", "/generation", _generation, reads_query=True),
    _service("key", "/auth/key", _key),
    _service("key", "/key", _key),
    _service("credits", "/credits", _credits),
)
"""`GET /api/v1/generation?id=`, `/key` under both of its paths, and `/credits`."""


def _encode_models(models: Sequence[ModelCard], call: WireCall, meta: ResponseMeta) -> bytes:
    del call
    return dumps({"data": [_entry(card, meta) for card in models]})


def _entry(card: ModelCard, meta: ResponseMeta) -> dict[str, Any]:
    own = card.extra_for(NAME)
    window = card.max_input_tokens
    return {
        "id": card.id,
        "canonical_slug": card.id,
        "hugging_face_id": "",
        "name": card.display_name or card.id,
        "created": card.created_s or meta.created_s,
        "description": "",
        "context_length": window,
        "architecture": {
            "modality": "text+image->text",
            "input_modalities": ["text", "image"],
            "output_modalities": ["text"],
            "tokenizer": "Other",
            "instruct_type": None,
        },
        "pricing": {"prompt": "0", "completion": "0", **(own.get("pricing") or {})},
        "top_provider": {"context_length": window, "max_completion_tokens": None, "is_moderated": False},
        "per_request_limits": None,
        "supported_parameters": _PARAMETERS,
    }


def _price(card: Mapping[str, Any], of: str) -> Decimal | None:
    """Return what a token costs; None where it depends on who answers, which is written as a negative price."""
    prices = card.get("pricing")
    try:
        price = Decimal(str(prices[of])) if isinstance(prices, dict) else None
    except (KeyError, InvalidOperation):
        return None
    return price if price is not None and price.is_finite() and price >= 0 else None


def _decode_models(body: bytes, headers: Mapping[str, str]) -> tuple[ModelCard, ...]:
    del headers
    found = answered(body).get("data")
    known = {"id", "name", "created", "context_length"}
    return tuple(
        ModelCard(
            str(card.get("id")),
            count(card.get("created")),
            display_name=card.get("name"),
            max_input_tokens=count(card.get("context_length")) or None,
            input_cost_per_token=_price(card, "prompt"),
            output_cost_per_token=_price(card, "completion"),
            extra=own_fields(NAME, card, known),
        )
        for card in (found if isinstance(found, list) else ())
        if isinstance(card, dict)
    )


MODELS = Endpoint(
    "models",
    "GET",
    "/models",
    gives="models",
    decode_call=OPENAI_MODELS.decode_call,
    encode_answer=_encode_models,
    encode_call=OPENAI_MODELS.encode_call,
    decode_answer=_decode_models,
)
"""`GET /api/v1/models`, with prices in USD for a token, as texts, and the window of each."""
