"""The record of Cohere."""

from __future__ import annotations

from llmtest.wire import _ids
from llmtest.wire._dialect import Dialect, Unserved
from llmtest.wire._records import Headers, ResponseMeta
from llmtest.wire._variables import Variables
from llmtest.wire.cohere._chat import CHAT, TRACE
from llmtest.wire.cohere._errors import ERRORS, VOCABULARY
from llmtest.wire.cohere._first_version import FIRST_VERSION
from llmtest.wire.cohere._services import EMBED, MODELS, RERANK
from llmtest.wire.cohere._without_effect import WITHOUT_EFFECT

__all__ = ["COHERE"]

_NEW = "have the code call the second version: POST /v2/{}"


def _head(meta: ResponseMeta) -> Headers:
    return () if meta.request_id is None else ((TRACE, meta.request_id),)


COHERE = Dialect(
    "cohere",
    title="Cohere",
    base_url="https://api.cohere.com",
    hosts=("https://api.cohere.com", "https://api.cohere.ai"),
    endpoints=(CHAT, EMBED, RERANK, *FIRST_VERSION, *MODELS),
    variables=Variables(
        keys=("CO_API_KEY", "COHERE_API_KEY"),
        base_urls=("CO_API_URL",),
        model="COHERE_MODEL",
        served={"CO_API_URL": "{url}/cohere"},
    ),
    errors=ERRORS,
    head=_head,
    usual_limits={"requests": 40, "tokens": 100_000},
    response_id=_ids.uuid,
    request_id=lambda number: _ids.hexadecimal(number, 32),
    tool_call_id=lambda number: "tool_" + _ids.letters(number, 12).lower(),
    models=("command-a-03-2025", "embed-v4.0", "rerank-v3.5"),
    default_model="command-a-03-2025",
    unserved=(
        Unserved("POST", "/v1/generate", _NEW.format("chat")),
        Unserved("POST", "/v1/summarize", _NEW.format("chat")),
        Unserved("POST", "/v1/classify", _NEW.format("chat")),
    ),
    vocabulary=VOCABULARY,
    settings={
        "tells_no_model": True,
        "tells_logprobs": True,
        "stop_word": "STOP_SEQUENCE",
        "without_effect": WITHOUT_EFFECT,
    },
)
"""Recorded in 2025."""
