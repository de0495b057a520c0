"""Which providers exist, where they are reached, and what they speak."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from llmtest.errors import ConfigurationError
from llmtest.wire import DIALECTS

__all__ = ["BUILTIN", "Place", "dialect_of", "environment_places", "parse_host", "parse_place"]

BUILTIN: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "openai": ("openai", ("https://api.openai.com",)),
    "anthropic": ("anthropic", ("https://api.anthropic.com",)),
    "azure": ("azure", ("https://*.openai.azure.com",)),
    "gemini": ("gemini", ("https://generativelanguage.googleapis.com",)),
    "ollama": ("ollama", ("http://localhost:11434", "http://127.0.0.1:11434", "http://[::1]:11434")),
    "vllm": ("vllm", ()),
    "openrouter": ("openrouter", ("https://openrouter.ai",)),
}
"""Provider: its dialect, and where it is reached from the start."""

ENVIRONMENT: Mapping[str, str] = {
    "OPENAI_BASE_URL": "openai",
    "OPENAI_API_BASE": "openai",
    "ANTHROPIC_BASE_URL": "anthropic",
    "AZURE_OPENAI_ENDPOINT": "azure",
    "GOOGLE_GEMINI_BASE_URL": "gemini",
    "OLLAMA_HOST": "ollama",
    "OLLAMA_BASE_URL": "ollama",
    "OLLAMA_API_BASE": "ollama",
    "VLLM_BASE_URL": "vllm",
    "OPENROUTER_BASE_URL": "openrouter",
}
"""Environment variables that say where a provider is, as the SDKs read them."""

_NO_HOST = re.compile(r"[^\w.:*?%-]|^\w[^:]*:\d+$")
_HOST_IN = re.compile(r"(?:^|//|[\"'\[ ])([\w*?-]+(?:\.[\w*?-]+)+)")
_DEFAULT_PORTS = {"http": 80, "https": 443}
OLLAMA_PORT = 11434


@dataclass(frozen=True, slots=True)
class Place:
    """Where a provider is reached.

    Args:
        host: Lower case; `*.` at its start stands for any subdomain.
        port: Port; None: any.
        prefix: Start of the path, without a slash at its end.
    """

    host: str
    port: int | None
    prefix: str = ""

    def covers(self, host: str, port: int, path: str) -> bool:
        """Tell whether a URL lies here."""
        if (self.port is not None and self.port != port) or not self.is_at(host):
            return False
        return not self.prefix or path == self.prefix or path.startswith(self.prefix + "/")

    def is_at(self, host: str) -> bool:
        """Tell whether this is at a host, whatever the port and the path."""
        return host.endswith(self.host[1:]) if self.host.startswith("*.") else host == self.host


def parse_host(host: str) -> str:
    """Read the name of a host that may be reached; `*` stands for any text.

    Raises:
        ConfigurationError: It is a URL, or a list as another kind of file would have it.
    """
    plain = host.strip().lower()
    if plain.startswith("[") and plain.endswith("]") and '"' not in plain and "'" not in plain:
        plain = plain[1:-1]
    if plain and not _NO_HOST.search(plain):
        return plain
    found = _HOST_IN.search(host)
    example = found[1] if found else "example.org"
    raise ConfigurationError(
        f"`{host}` is no host: a host is allowed by its bare name, on every port.\n\n"
        f'To fix: llm_sim.allow("{example}"), or a line of its own in pytest.ini\'s llmtest_allowed_hosts'
    )


def parse_place(base_url: str) -> Place:
    """Read a base URL.

    Raises:
        ConfigurationError: Not an http or https URL.
    """
    try:
        parts = urlsplit(base_url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        raise ConfigurationError(
            f"`{base_url}` is no base URL: it needs a scheme and a host.\n\n"
            'To fix: write it in full, such as "http://localhost:8000"'
        )
    return Place(parts.hostname, port or _DEFAULT_PORTS[parts.scheme], parts.path.rstrip("/"))


def environment_places(environment: Mapping[str, str] | None = None) -> list[tuple[str, Place]]:
    """Return what the environment says about where providers are; what cannot be read is left alone."""
    found = []
    for variable, provider in ENVIRONMENT.items():
        value = (os.environ if environment is None else environment).get(variable, "").strip()
        if not value:
            continue
        if provider == "ollama":
            value = _ollama_url(value)
        try:
            found.append((provider, parse_place(value)))
        except ConfigurationError:
            # The SDK that reads the variable says what is wrong with it; here it names no place.
            continue
    return found


def _ollama_url(value: str) -> str:
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
        port = OLLAMA_PORT
    return f"{parts.scheme}://{host}{'' if port is None else f':{port}'}{parts.path}"


def dialect_of(dialect: str, path: str) -> str | None:
    """Return the dialect with a codec that a request to a provider is written in; None where there is none.

    Ollama, vLLM and OpenRouter speak OpenAI's dialect below `/v1`; so do Azure below `/openai/v1` and Gemini below
    `/openai`. Their native formats are dialects of their own.
    """
    if dialect in DIALECTS:
        return dialect
    rides = {
        "ollama": "/v1/" in path,
        "vllm": "/v1/" in path,
        "openrouter": "/v1/" in path,
        "azure": "/openai/v1/" in path,
        "gemini": "/openai/" in path,
    }
    return "openai" if rides.get(dialect) else None
