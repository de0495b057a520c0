"""Ollama: its own API, and OpenAI's at its OpenAI-compatible address."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from llmtest.wire import _ids
from llmtest.wire._dialect import Dialect, Variables
from llmtest.wire._vocabulary import Vocabulary
from llmtest.wire.ollama._chat import CHAT, GENERATE
from llmtest.wire.ollama._compatible import SPOKEN
from llmtest.wire.ollama._embeddings import EMBED, EMBEDDINGS
from llmtest.wire.ollama._errors import OllamaErrors
from llmtest.wire.ollama._models import ENDPOINTS as MODELS
from llmtest.wire.ollama._without_effect import WITHOUT_EFFECT

__all__ = ["NATIVE", "OLLAMA"]

PORT = 11434


def _complete(value: str) -> str:
    """Complete what `OLLAMA_HOST` may be: a host, a host and port, or a URL."""
    if "://" not in value:
        value = f"http://{value}"
    parts = urlsplit(value)
    host = "127.0.0.1" if parts.hostname == "0.0.0.0" else parts.hostname or "127.0.0.1"  # noqa: S104 - nothing is bound
    host = f"[{host}]" if ":" in host else host
    try:
        port = parts.port
    except ValueError:
        port = None
    if port is None and parts.scheme == "http":
        port = PORT
    return f"{parts.scheme}://{host}{'' if port is None else f':{port}'}{parts.path}"


_SHARED: Mapping[str, Any] = {
    "title": "Ollama",
    "models": ("llama3.2",),
    "default_model": "llama3.2",
    "needs_key": False,
    "tool_call_id": lambda number: "call_" + _ids.letters(number, 8).lower(),
}

NATIVE = Dialect(
    "ollama",
    root="/api",
    base_url=f"http://localhost:{PORT}/api",
    endpoints=(CHAT, GENERATE, EMBED, EMBEDDINGS, *MODELS),
    errors=OllamaErrors(),
    response_id=str,
    settings={"is_nameless": True, "without_effect": WITHOUT_EFFECT},
    **_SHARED,
)
"""Its own API, below `/api`."""

OLLAMA = Dialect(
    "ollama",
    base_url=f"http://localhost:{PORT}/v1",
    hosts=(f"http://localhost:{PORT}", f"http://127.0.0.1:{PORT}", f"http://[::1]:{PORT}"),
    any_port=False,
    mounts={"/v1": SPOKEN, "/api": NATIVE},
    errors=OllamaErrors(),
    variables=Variables(
        keys=("OLLAMA_API_KEY",),
        base_urls=("OLLAMA_HOST", "OLLAMA_BASE_URL", "OLLAMA_API_BASE"),
        model="OLLAMA_MODEL",
        complete_url=_complete,
    ),
    vocabulary=Vocabulary(
        too_long=(re.compile(r"input length exceeds the context length"),), no_credit=("weekly usage limit",)
    ),
    **_SHARED,
)
"""Ollama: its OpenAI-compatible API below `/v1`, and its own below `/api`."""
