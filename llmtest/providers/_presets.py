"""The providers by name: where each is, and which variables of the environment it reads."""

from __future__ import annotations

import os
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, ClassVar, Self, Unpack

from llmtest.errors import ConfigurationError
from llmtest.providers._azure import AzureOpenAIProvider
from llmtest.providers._defaults import DEFAULT_TIMEOUTS, Defaults
from llmtest.providers._http_provider import HttpProvider
from llmtest.providers._tokens import TokenSource
from llmtest.types import Timeouts
from llmtest.wire import Dialect, dialects, owner_of
from llmtest.wire.anthropic import ANTHROPIC
from llmtest.wire.gemini import GEMINI
from llmtest.wire.ollama import NATIVE, OLLAMA
from llmtest.wire.openai import COMPATIBLE, OPENAI
from llmtest.wire.openrouter import OPENROUTER
from llmtest.wire.vllm import VLLM

__all__ = [
    "AnthropicProvider",
    "GeminiProvider",
    "OllamaProvider",
    "OpenAICompatibleProvider",
    "OpenAIProvider",
    "OpenRouterProvider",
    "VLLMProvider",
    "provider_class",
]


class _Keyed(HttpProvider):
    """A provider with a name, a default model and variables of its own."""

    dialect: ClassVar[Dialect]
    """What is known about it: its name, address, default model and variables."""

    def __init__(
        self,
        api_key: str | TokenSource | None = None,
        *,
        model: str | None = None,
        base_url: str | None = None,
        name: str | None = None,
        http_client: Any = None,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
        headers: Mapping[str, str] | None = None,
        credential: str | None = None,
        idempotency_header: str | None = None,
        api: str | None = None,
        spoken: Dialect | None = None,
        **defaults: Unpack[Defaults],
    ) -> None:
        # An address that everybody's clients are pointed elsewhere with tells who is there, and so what it costs.
        owner = (owner_of(base_url) if self.dialect.is_default else None) or self.dialect
        super().__init__(
            name=name or owner.name,
            dialect=spoken or self.dialect,
            base_url=base_url,
            api_key=api_key,
            model=model or owner.default_model,
            http_client=http_client,
            timeouts=timeouts,
            headers=headers,
            credential=credential,
            idempotency_header=idempotency_header,
            api=api,
            **defaults,
        )

    @classmethod
    def from_env(cls, **settings: Any) -> Self:
        """Make the provider from the environment: its key, and its model and base URL where they are set.

        Args:
            settings: Arguments of the class; they go before the environment.

        Raises:
            ConfigurationError: The variable of the key is not set.
        """
        variables = cls.dialect.variables
        key_variable = variables.keys[0] if variables.keys else ""
        url = next((os.environ[name] for name in variables.base_urls[:1] if os.environ.get(name)), None)
        environment = {
            "api_key": next((os.environ[name] for name in variables.keys if os.environ.get(name)), None),
            "model": os.environ.get(variables.model or "") or None,
            "base_url": None if url is None else cls._url(url),
        }
        known = {**environment, **{name: value for name, value in settings.items() if value is not None}}
        if cls.dialect.needs_key and not known["api_key"]:
            name = cls.dialect.name
            raise ConfigurationError(
                f"`{name}` needs an API key, and `{key_variable}` is not set.\n"
                f"To fix: export {key_variable}=..., or pass `api_key`"
                if key_variable
                else f"`{name}` needs an API key, and no variable holds it.\nTo fix: pass `api_key`"
            )
        return cls(**known)

    @classmethod
    def _url(cls, text: str) -> str:
        return text


class OpenAIProvider(_Keyed):
    """OpenAI's Chat Completions, or its Responses.

    `from_env` reads `OPENAI_API_KEY`, `OPENAI_MODEL` and `OPENAI_BASE_URL`. An address that is another provider's
    (Ollama's port, OpenRouter) gives it that one's name, default model and prices.

    Args:
        api_key: The key, or a `TokenSource` for one that passes away.
        model: Model to ask for where a request names none; default `gpt-4o`.
        base_url: Another address, such as a proxy's; it ends in `/v1`.
        name: What errors, traces and prices call it; default: whose address it is, else `openai`.
        http_client: A client of `httpx` or `httpx2`, blocking or asynchronous, to send with.
        timeouts: Limits where a call brings none; default 10 s to connect, 60 s of silence.
        headers: Further headers of every request.
        credential: Label of the key in attempts and metrics; default: a short hash.
        idempotency_header: Header that names a call, the same in all its retries; default: none is sent.
        api: `chat` (the default) or `responses`.
        defaults: `max_tokens` and `temperature` where a request does not say; `context_window`, `price` of the model;
            `chunk_size` and `buffer_timeout_ms`: streams in pieces of so many characters at least, none later than so
            many milliseconds (100).
    """

    dialect = OPENAI


class AnthropicProvider(_Keyed):
    """Anthropic's Messages; arguments as of `OpenAIProvider`, the default model is `claude-sonnet-4-6`.

    `from_env` reads `ANTHROPIC_API_KEY`, `ANTHROPIC_MODEL` and `ANTHROPIC_BASE_URL`.
    """

    dialect = ANTHROPIC


class GeminiProvider(_Keyed):
    """Gemini's own API; arguments as of `OpenAIProvider`, the default model is `gemini-2.5-flash`.

    `from_env` reads `GEMINI_API_KEY` or `GOOGLE_API_KEY`, `GEMINI_MODEL`, and `GOOGLE_GEMINI_BASE_URL`, which may
    end in the version of the API or not.
    """

    dialect = GEMINI

    @classmethod
    def _url(cls, text: str) -> str:
        return cls.dialect.variables.complete_url(text)


class OpenRouterProvider(_Keyed):
    """OpenRouter, whose models carry their vendor's name (`mistralai/mistral-large`); it has no default model.

    `from_env` reads `OPENROUTER_API_KEY`, `OPENROUTER_MODEL` and `OPENROUTER_BASE_URL`.
    """

    dialect = OPENROUTER


class OllamaProvider(_Keyed):
    """Ollama on your own machine; it needs no key, costs nothing, and the default model is `llama3.2`.

    `from_env` reads `OLLAMA_HOST` (`host:port` or a URL), `OLLAMA_MODEL` and `OLLAMA_API_KEY`.

    Args:
        api_key: A key, where a proxy or Ollama's cloud asks for one.
        base_url: Its address, with `/v1`, with `/api` or with neither.
        api: `chat` (the default) and `responses` are its OpenAI-compatible API, below `/v1`; `native` is its own,
            below `/api`, and `generate` its own for a prompt alone.
        settings: Further arguments as of `OpenAIProvider`.
    """

    dialect = OLLAMA

    def __init__(
        self, api_key: str | None = None, *, base_url: str | None = None, api: str | None = None, **settings: Any
    ) -> None:
        is_native = api in ("native", "generate")
        root = _root_of(base_url or self.dialect.base_url or "")
        super().__init__(
            api_key,
            base_url=root + ("/api" if is_native else "/v1"),
            api=None if api == "native" else api,
            spoken=NATIVE if is_native else self.dialect,
            **settings,
        )

    @classmethod
    def _url(cls, text: str) -> str:
        return cls.dialect.variables.complete_url(text)


def _root_of(url: str) -> str:
    """Return an address without the part that says which of several APIs is meant."""
    return url.rstrip("/").removesuffix("/v1").removesuffix("/api")


class VLLMProvider(_Keyed):
    """A vLLM server through its OpenAI-compatible API; it needs no key, and has no default model.

    `from_env` reads `VLLM_BASE_URL`, `VLLM_MODEL` and `VLLM_API_KEY`.
    """

    dialect = VLLM


class OpenAICompatibleProvider(HttpProvider):
    """Any endpoint that speaks OpenAI's Chat Completions, or its Responses.

    Args:
        name: What errors, traces and prices call it.
        base_url: Where it is reached; the path that `/chat/completions` follows.
        api_key: The key, or a `TokenSource` for one that passes away; None sends none.
        model: Model to ask for where a request names none.
        http_client: A client of `httpx` or `httpx2`, blocking or asynchronous, to send with.
        timeouts: Limits where a call brings none.
        headers: Further headers of every request.
        credential: Label of the key in attempts and metrics; default: a short hash.
        idempotency_header: Header that names a call, the same in all its retries; default: none is sent.
        api: `chat` (the default) or `responses`.
        defaults: `max_tokens` and `temperature` where a request does not say; `context_window`, `price` of the model.
    """

    dialect: ClassVar[Dialect] = COMPATIBLE

    def __init__(
        self,
        name: str,
        *,
        base_url: str,
        api_key: str | TokenSource | None = None,
        model: str | None = None,
        http_client: Any = None,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
        headers: Mapping[str, str] | None = None,
        credential: str | None = None,
        idempotency_header: str | None = None,
        api: str | None = None,
        **defaults: Unpack[Defaults],
    ) -> None:
        super().__init__(
            name=name,
            dialect=self.dialect,
            base_url=base_url,
            api_key=api_key,
            model=model,
            http_client=http_client,
            timeouts=timeouts,
            headers=headers,
            credential=credential,
            idempotency_header=idempotency_header,
            api=api,
            **defaults,
        )

    @classmethod
    def preset(cls, name: str, api_key: str | None = None, **settings: Any) -> HttpProvider:
        """Make the provider of a name: its address, its variables and its ways are known.

        Args:
            name: `groq`, `mistral`, `deepseek`, or another provider that a dialect is registered for.
            api_key: The key; default: from the environment.
            settings: Further arguments of the provider, such as `model`; they go before the environment.

        Raises:
            ConfigurationError: Nobody is called so, or the variable of its key is not set.
        """
        known = [each.name for each in dialects().values() if each.is_provider]
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f" Did you mean `{near[0]}`?" if near else ""
            raise ConfigurationError(
                f"no preset is called `{name}`.{hint}\nPresets: {', '.join(sorted(known))}.\n\n"
                f"To fix: write one of these, or give the address: {cls.__name__}({name!r}, base_url=...)"
            )
        made: HttpProvider = provider_class(dialects()[name]).from_env(api_key=api_key, **settings)
        return made

    @classmethod
    def from_env(cls, name: str = COMPATIBLE.name, prefix: str = OPENAI.name.upper(), **settings: Any) -> Self:
        """Make the provider from `{prefix}_BASE_URL`, `{prefix}_API_KEY` and `{prefix}_MODEL`.

        Args:
            name: What to call it; by default whose address it is, where somebody is known to be there.
            prefix: Start of the variables' names.
            settings: Further arguments of the class; they go before the environment.

        Raises:
            ConfigurationError: The variable of the base URL is not set.
        """
        url = settings.pop("base_url", None) or os.environ.get(f"{prefix}_BASE_URL")
        owner = owner_of(url) if name == COMPATIBLE.name else None
        if not url:
            raise ConfigurationError(
                f"`{name}` needs an address, and `{prefix}_BASE_URL` is not set.\n"
                f"To fix: export {prefix}_BASE_URL=..., or pass `base_url`"
            )
        known = {
            "api_key": os.environ.get(f"{prefix}_API_KEY") or None,
            "model": os.environ.get(f"{prefix}_MODEL") or None,
        }
        return cls(name if owner is None else owner.name, base_url=url, **{**known, **settings})


_WRITTEN: tuple[Any, ...] = (
    OpenAIProvider,
    AnthropicProvider,
    AzureOpenAIProvider,
    GeminiProvider,
    OpenRouterProvider,
    OllamaProvider,
    VLLMProvider,
)
"""Classes that are more than their record."""


def provider_class(dialect: Dialect) -> Any:
    """Return the class of a dialect's provider: the one written for it, else one made of its record."""
    for known in _WRITTEN:
        if known.dialect is dialect:
            return known
    if dialect is COMPATIBLE:
        return OpenAICompatibleProvider
    return type(f"{dialect.title.title().replace(' ', '')}Provider", (_Keyed,), {"dialect": dialect})
