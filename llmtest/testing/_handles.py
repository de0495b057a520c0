"""The providers of a simulation by name, for editors and type checkers; the registry is what knows and makes them.

A test compares the names with the registry: a dialect that is added to the package is added here, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterable

from llmtest.simulation import ProviderHandle
from llmtest.wire import dialects

__all__ = ["Handles"]


class Handles:
    """Handles on simulated providers, each made on first use."""

    openai: ProviderHandle
    """The simulated OpenAI."""
    anthropic: ProviderHandle
    """The simulated Anthropic."""
    azure: ProviderHandle
    """The simulated Azure OpenAI."""
    bedrock: ProviderHandle
    """The simulated Amazon Bedrock, where it hosts Claude."""
    cohere: ProviderHandle
    """The simulated Cohere."""
    deepseek: ProviderHandle
    """The simulated DeepSeek."""
    gemini: ProviderHandle
    """The simulated Gemini."""
    groq: ProviderHandle
    """The simulated Groq."""
    huggingface: ProviderHandle
    """The simulated router of Hugging Face."""
    mistral: ProviderHandle
    """The simulated Mistral."""
    near_ai: ProviderHandle
    """The simulated NEAR AI."""
    ollama: ProviderHandle
    """The simulated Ollama."""
    openrouter: ProviderHandle
    """The simulated OpenRouter."""
    perplexity: ProviderHandle
    """The simulated Perplexity."""
    tinfoil: ProviderHandle
    """The simulated Tinfoil."""
    together_ai: ProviderHandle
    """The simulated Together."""
    vertex: ProviderHandle
    """The simulated Vertex AI, where it hosts Claude."""
    vllm: ProviderHandle
    """The simulated vLLM."""
    xai: ProviderHandle
    """The simulated xAI."""

    def __dir__(self) -> Iterable[str]:
        """List the providers that are registered too, so that a shell can complete their names."""
        return [*super().__dir__(), *(name for name, each in dialects().items() if each.is_provider)]
