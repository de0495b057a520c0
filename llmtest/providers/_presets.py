"""The providers by name: where each is, and which variables of the environment it reads."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from llmtest.errors import ConfigurationError
from llmtest.providers._http_provider import DEFAULT_TIMEOUTS, HttpProvider
from llmtest.types import Timeouts

__all__ = [
    "AnthropicProvider",
    "OllamaProvider",
    "OpenAICompatibleProvider",
    "OpenAIProvider",
    "OpenRouterProvider",
    "VLLMProvider",
]


class _Keyed(HttpProvider):
    """A provider with a name, a default model and variables of its own."""

    NAME: ClassVar[str]
    DIALECT: ClassVar[str] = "openai"
    MODEL: ClassVar[str | None] = None
    BASE_URL: ClassVar[str | None] = None
    KEY_VARIABLE: ClassVar[str]
    MODEL_VARIABLE: ClassVar[str]
    URL_VARIABLE: ClassVar[str]
    NEEDS_KEY: ClassVar[bool] = True

    def __init__(
        self,
        api_key: str | None = None,
        *,
        model: str | None = None,
        base_url: str | None = None,
        name: str | None = None,
        http_client: Any = None,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
        headers: Mapping[str, str] | None = None,
        credential: str | None = None,
        idempotency_header: str | None = None,
    ) -> None:
        super().__init__(
            name=name or self.NAME,
            dialect=self.DIALECT,
            base_url=base_url or self.BASE_URL,
            api_key=api_key,
            model=model or self.MODEL,
            http_client=http_client,
            timeouts=timeouts,
            headers=headers,
            credential=credential,
            idempotency_header=idempotency_header,
        )

    @classmethod
    def from_env(cls, **settings: Any) -> Self:
        """Make the provider from the environment: its key, and its model and base URL where they are set.

        Args:
            settings: Arguments of the class; they go before the environment.

        Raises:
            ConfigurationError: The variable of the key is not set.
        """
        environment = {
            "api_key": os.environ.get(cls.KEY_VARIABLE) or None,
            "model": os.environ.get(cls.MODEL_VARIABLE) or None,
            "base_url": cls._url(os.environ.get(cls.URL_VARIABLE) or None),
        }
        known = {**environment, **{name: value for name, value in settings.items() if value is not None}}
        if cls.NEEDS_KEY and not known["api_key"]:
            raise ConfigurationError(
                f"`{cls.NAME}` needs an API key, and `{cls.KEY_VARIABLE}` is not set.\n"
                f"To fix: export {cls.KEY_VARIABLE}=..., or pass `api_key`"
            )
        return cls(**known)

    @classmethod
    def _url(cls, text: str | None) -> str | None:
        return text


class OpenAIProvider(_Keyed):
    """OpenAI's Chat Completions.

    `from_env` reads `OPENAI_API_KEY`, `OPENAI_MODEL` and `OPENAI_BASE_URL`.

    Args:
        api_key: The key.
        model: Model to ask for where a request names none; default `gpt-4o`.
        base_url: Another address, such as a proxy's; it ends in `/v1`.
        name: What errors, traces and prices call it; default `openai`.
        http_client: A client of `httpx` or `httpx2`, blocking or asynchronous, to send with.
        timeouts: Limits where a call brings none; default 10 s to connect, 60 s of silence.
        headers: Further headers of every request.
        credential: Label of the key in attempts and metrics; default: a short hash.
        idempotency_header: Header that names a call, the same in all its retries; default: none is sent.
    """

    NAME = "openai"
    MODEL = "gpt-4o"
    KEY_VARIABLE = "OPENAI_API_KEY"
    MODEL_VARIABLE = "OPENAI_MODEL"
    URL_VARIABLE = "OPENAI_BASE_URL"


class AnthropicProvider(_Keyed):
    """Anthropic's Messages; arguments as of `OpenAIProvider`, the default model is `claude-sonnet-4-5`.

    `from_env` reads `ANTHROPIC_API_KEY`, `ANTHROPIC_MODEL` and `ANTHROPIC_BASE_URL`.
    """

    NAME = "anthropic"
    DIALECT = "anthropic"
    MODEL = "claude-sonnet-4-5"
    KEY_VARIABLE = "ANTHROPIC_API_KEY"
    MODEL_VARIABLE = "ANTHROPIC_MODEL"
    URL_VARIABLE = "ANTHROPIC_BASE_URL"


class OpenRouterProvider(_Keyed):
    """OpenRouter, whose models carry their vendor's name (`mistralai/mistral-large`); it has no default model.

    `from_env` reads `OPENROUTER_API_KEY`, `OPENROUTER_MODEL` and `OPENROUTER_BASE_URL`.
    """

    NAME = "openrouter"
    BASE_URL = "https://openrouter.ai/api/v1"
    KEY_VARIABLE = "OPENROUTER_API_KEY"
    MODEL_VARIABLE = "OPENROUTER_MODEL"
    URL_VARIABLE = "OPENROUTER_BASE_URL"


class OllamaProvider(_Keyed):
    """Ollama on your own machine, through its OpenAI-compatible API; it needs no key, the default model is `llama3.2`.

    `from_env` reads `OLLAMA_HOST` (`host:port` or a URL), `OLLAMA_MODEL` and `OLLAMA_API_KEY`.
    """

    NAME = "ollama"
    MODEL = "llama3.2"
    BASE_URL = "http://localhost:11434/v1"
    KEY_VARIABLE = "OLLAMA_API_KEY"
    MODEL_VARIABLE = "OLLAMA_MODEL"
    URL_VARIABLE = "OLLAMA_HOST"
    NEEDS_KEY = False

    @classmethod
    def _url(cls, text: str | None) -> str | None:
        if text is None:
            return None
        url = text if "://" in text else f"http://{text}"
        return url.rstrip("/").removesuffix("/v1") + "/v1"


class VLLMProvider(_Keyed):
    """A vLLM server through its OpenAI-compatible API; it needs no key, and has no default model.

    `from_env` reads `VLLM_BASE_URL`, `VLLM_MODEL` and `VLLM_API_KEY`.
    """

    NAME = "vllm"
    BASE_URL = "http://localhost:8000/v1"
    KEY_VARIABLE = "VLLM_API_KEY"
    MODEL_VARIABLE = "VLLM_MODEL"
    URL_VARIABLE = "VLLM_BASE_URL"
    NEEDS_KEY = False


class OpenAICompatibleProvider(HttpProvider):
    """Any endpoint that speaks OpenAI's Chat Completions.

    Args:
        name: What errors, traces and prices call it.
        base_url: Where it is reached; the path that `/chat/completions` follows.
        api_key: The key; None sends none.
        model: Model to ask for where a request names none.
        http_client: A client of `httpx` or `httpx2`, blocking or asynchronous, to send with.
        timeouts: Limits where a call brings none.
        headers: Further headers of every request.
        credential: Label of the key in attempts and metrics; default: a short hash.
        idempotency_header: Header that names a call, the same in all its retries; default: none is sent.
    """

    def __init__(
        self,
        name: str,
        *,
        base_url: str,
        api_key: str | None = None,
        model: str | None = None,
        http_client: Any = None,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
        headers: Mapping[str, str] | None = None,
        credential: str | None = None,
        idempotency_header: str | None = None,
    ) -> None:
        super().__init__(
            name=name,
            dialect="openai",
            base_url=base_url,
            api_key=api_key,
            model=model,
            http_client=http_client,
            timeouts=timeouts,
            headers=headers,
            credential=credential,
            idempotency_header=idempotency_header,
        )

    @classmethod
    def from_env(cls, name: str = "openai_compatible", prefix: str = "OPENAI", **settings: Any) -> Self:
        """Make the provider from `{prefix}_BASE_URL`, `{prefix}_API_KEY` and `{prefix}_MODEL`.

        Args:
            name: What to call it.
            prefix: Start of the variables' names.
            settings: Further arguments of the class; they go before the environment.

        Raises:
            ConfigurationError: The variable of the base URL is not set.
        """
        url = settings.pop("base_url", None) or os.environ.get(f"{prefix}_BASE_URL")
        if not url:
            raise ConfigurationError(
                f"`{name}` needs an address, and `{prefix}_BASE_URL` is not set.\n"
                f"To fix: export {prefix}_BASE_URL=..., or pass `base_url`"
            )
        known = {
            "api_key": os.environ.get(f"{prefix}_API_KEY") or None,
            "model": os.environ.get(f"{prefix}_MODEL") or None,
        }
        return cls(name, base_url=url, **{**known, **settings})
