"""The providers of a simulation by name, typed for editors and type checkers; the registry knows them all the same."""

from __future__ import annotations

from llmtest.simulation import ProviderHandle, World

__all__ = ["Handles"]


class Handles:
    """Handles on simulated providers, each made on first use."""

    _world: World

    @property
    def openai(self) -> ProviderHandle:
        """The simulated OpenAI."""
        return self._world.provider("openai")

    @property
    def anthropic(self) -> ProviderHandle:
        """The simulated Anthropic."""
        return self._world.provider("anthropic")

    @property
    def bedrock(self) -> ProviderHandle:
        """The simulated Amazon Bedrock, where it hosts Claude."""
        return self._world.provider("bedrock")

    @property
    def vertex(self) -> ProviderHandle:
        """The simulated Vertex AI, where it hosts Claude."""
        return self._world.provider("vertex")

    @property
    def azure(self) -> ProviderHandle:
        """The simulated Azure OpenAI."""
        return self._world.provider("azure")

    @property
    def gemini(self) -> ProviderHandle:
        """The simulated Gemini."""
        return self._world.provider("gemini")

    @property
    def ollama(self) -> ProviderHandle:
        """The simulated Ollama."""
        return self._world.provider("ollama")

    @property
    def vllm(self) -> ProviderHandle:
        """The simulated vLLM."""
        return self._world.provider("vllm")

    @property
    def openrouter(self) -> ProviderHandle:
        """The simulated OpenRouter."""
        return self._world.provider("openrouter")
