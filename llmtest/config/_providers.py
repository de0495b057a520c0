"""Providers by the names that chain files use."""

from __future__ import annotations

from typing import Any

from llmtest.providers import (
    AnthropicProvider,
    OllamaProvider,
    OpenAICompatibleProvider,
    OpenAIProvider,
    OpenRouterProvider,
    VLLMProvider,
)
from llmtest.types import Provider

__all__ = ["PROVIDERS", "make_provider"]

PROVIDERS: dict[str, Any] = {
    "openai": OpenAIProvider,
    "anthropic": AnthropicProvider,
    "ollama": OllamaProvider,
    "openai_compatible": OpenAICompatibleProvider,
    "openrouter": OpenRouterProvider,
    "vllm": VLLMProvider,
}


def make_provider(name: str, *, model: str | None, api_key: str | None, base_url: str | None) -> Provider:
    """Make a provider; what is None is read from the environment.

    Args:
        name: One of `PROVIDERS`.
        model: Model to ask for.
        api_key: Its key.
        base_url: Where it is.

    Raises:
        ConfigurationError: A key or an address is missing.
    """
    given = {"model": model, "api_key": api_key, "base_url": base_url}
    settings = {key: value for key, value in given.items() if value is not None}
    provider: Provider = PROVIDERS[name].from_env(**settings)
    return provider
