"""Ollama, through its OpenAI-compatible address."""

from __future__ import annotations

from urllib.parse import urlsplit

from llmtest.errors import ProviderError
from llmtest.wire._dialect import Dialect, Variables
from llmtest.wire._json import dumps
from llmtest.wire._json_errors import JsonErrors
from llmtest.wire._records import Headers, ResponseMeta
from llmtest.wire.openai import COMPATIBLE

__all__ = ["OLLAMA"]

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


class _Errors(JsonErrors):
    """Errors of its native API, whose message is a plain text: `{"error": "model not found"}`."""

    def encode(self, error: ProviderError, meta: ResponseMeta, headers: Headers) -> tuple[int, Headers, bytes]:
        """Write an error as status, headers and body."""
        status, found, _ = super().encode(error, meta, headers)
        return status, found, error.body if error.body is not None else dumps({"error": error.message})


OLLAMA = Dialect(
    "ollama",
    errors=_Errors(),
    title="Ollama",
    base_url=f"http://localhost:{PORT}/v1",
    hosts=(f"http://localhost:{PORT}", f"http://127.0.0.1:{PORT}", f"http://[::1]:{PORT}"),
    any_port=False,
    mounts={"/v1": COMPATIBLE},
    variables=Variables(
        keys=("OLLAMA_API_KEY",),
        base_urls=("OLLAMA_HOST", "OLLAMA_BASE_URL", "OLLAMA_API_BASE"),
        model="OLLAMA_MODEL",
        complete_url=_complete,
    ),
    models=("llama3.2",),
    default_model="llama3.2",
    needs_key=False,
)
"""Its native API is not simulated."""
