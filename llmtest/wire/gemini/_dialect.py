"""Google's Gemini: its own API, and OpenAI's at its OpenAI-compatible address."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from llmtest.wire import _ids
from llmtest.wire._dialect import Dialect, Variables
from llmtest.wire._records import Headers, ResponseMeta
from llmtest.wire.gemini._batch_api import GeminiBatches
from llmtest.wire.gemini._batches import BATCHES
from llmtest.wire.gemini._errors import GeminiErrors
from llmtest.wire.gemini._generate import COUNT_TOKENS, GENERATE, STREAM, read_key
from llmtest.wire.gemini._services import BATCH_EMBED, EMBED, MODEL, MODELS
from llmtest.wire.gemini._shutdowns import SHUTDOWNS
from llmtest.wire.gemini._vocabulary import VOCABULARY
from llmtest.wire.gemini._without_effect import WITHOUT_EFFECT
from llmtest.wire.gemini.generate._response import RAW_FINISH
from llmtest.wire.openai import COMPATIBLE

__all__ = ["GEMINI"]


def _auth(api_key: str | None) -> Headers:
    return () if api_key is None else (("x-goog-api-key", api_key),)


def _head(meta: ResponseMeta) -> Headers:
    return (
        ("vary", "Origin, X-Origin, Referer"),
        ("server", "scaffolding on HTTPServer2"),
        ("x-content-type-options", "nosniff"),
        ("server-timing", f"gfet4t7; dur={meta.processing_ms or 0}"),
    )


def _marks(headers: Mapping[str, str]) -> bool:
    return "x-goog-api-key" in headers


_SHARED: Mapping[str, Any] = {
    "title": "Gemini",
    "endpoints": (GENERATE, STREAM, COUNT_TOKENS, BATCH_EMBED, EMBED, *BATCHES, MODELS, MODEL),
    "auth": _auth,
    "read_key": read_key,
    "errors": GeminiErrors(),
    "head": _head,
    "batches": GeminiBatches(),
    "response_id": lambda number: _ids.letters(number, 23),
    "tool_call_id": lambda number: _ids.letters(number, 8).lower(),
    "marks": _marks,
    "models": ("gemini-2.5-flash", "gemini-2.5-pro", "gemini-embedding-001"),
    "default_model": "gemini-2.5-flash",
    "settings": {
        "finish_words": RAW_FINISH,
        "tells_logprobs": True,
        "without_effect": WITHOUT_EFFECT,
        "thinking_models": re.compile(r"(?:[\w.-]+/)*gemini-(?:2\.5|[3-9])(?!.*(?:image|tts|audio|embed))"),
    },
}

_STABLE = Dialect("gemini", root="/v1", **_SHARED)
"""The same below the other version of its API."""

GEMINI = Dialect(
    "gemini",
    root="/v1beta",
    telemetry_name="gcp.gemini",
    base_url="https://generativelanguage.googleapis.com/v1beta",
    hosts=("https://generativelanguage.googleapis.com",),
    mounts={"/v1beta/openai": COMPATIBLE, "/openai": COMPATIBLE, "/v1": _STABLE},
    variables=Variables(
        keys=("GEMINI_API_KEY", "GOOGLE_API_KEY"),
        base_urls=("GOOGLE_GEMINI_BASE_URL",),
        model="GEMINI_MODEL",
        served={"GOOGLE_GEMINI_BASE_URL": "{url}"},
        complete_url=lambda text: text.rstrip("/") if "/v1" in text else text.rstrip("/") + "/v1beta",
    ),
    vocabulary=VOCABULARY,
    shutdowns=SHUTDOWNS,
    **_SHARED,
)
"""Google's Gemini."""
