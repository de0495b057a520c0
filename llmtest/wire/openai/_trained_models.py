"""Models that were trained for a caller, who alone can delete them."""

from __future__ import annotations

from typing import Any

from llmtest.wire._records import ResponseMeta, WireCall
from llmtest.wire._store import Store
from llmtest.wire.openai._services import missing, service

__all__ = ["MODEL_DELETION"]


def _delete(call: WireCall, meta: ResponseMeta, store: Store) -> dict[str, Any]:
    del meta, store
    model = str(call.model)
    if not model.startswith("ft:"):
        raise missing(f"The model '{model}' does not exist", "model")
    return {"id": model, "object": "model", "deleted": True}


MODEL_DELETION = service("models.delete", "DELETE", "/models/{model}", _delete)
"""`DELETE /v1/models/{model}`."""
