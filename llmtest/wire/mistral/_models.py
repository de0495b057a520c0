"""The list of Mistral's models, which its SDK reads only with what each of them can do."""

from __future__ import annotations

from collections.abc import Sequence

from llmtest.types import ModelCard
from llmtest.wire._json import dumps
from llmtest.wire._records import ResponseMeta, WireCall
from llmtest.wire.openai._bodies import NAME
from llmtest.wire.openai._models import MODEL
from llmtest.wire.openai._models import MODELS as OPENAI_MODELS

__all__ = ["MODELS"]

_CAN = {
    "completion_chat": True,
    "completion_fim": False,
    "function_calling": True,
    "fine_tuning": False,
    "vision": True,
    "classification": False,
}


def _encode_answer(models: Sequence[ModelCard], call: WireCall, meta: ResponseMeta) -> bytes:
    cards = [
        {
            "id": card.id,
            "object": "model",
            "created": card.created_s or meta.created_s,
            "owned_by": card.owned_by or "mistralai",
            "capabilities": _CAN,
            "name": card.id,
            "max_context_length": card.max_input_tokens or 131_072,
            "aliases": [],
            "type": "base",
            **card.extra_for(NAME),
        }
        for card in models
    ]
    return dumps(cards[0] if call.operation == "model" else {"object": "list", "data": cards})


MODELS = (
    OPENAI_MODELS.at(OPENAI_MODELS.pattern, encode_answer=_encode_answer),
    MODEL.at(MODEL.pattern, encode_answer=_encode_answer),
)
"""`GET /v1/models` and `/v1/models/{model}`."""
