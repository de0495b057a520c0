"""Who answers, for real: the client side of the providers, the only place that opens connections to them."""

from llmtest.providers._azure import AzureOpenAIProvider
from llmtest.providers._http_provider import HttpProvider
from llmtest.providers._presets import (
    AnthropicProvider,
    GeminiProvider,
    OllamaProvider,
    OpenAICompatibleProvider,
    OpenAIProvider,
    OpenRouterProvider,
    VLLMProvider,
    provider_class,
)

__all__ = [
    "AnthropicProvider",
    "AzureOpenAIProvider",
    "GeminiProvider",
    "HttpProvider",
    "OllamaProvider",
    "OpenAICompatibleProvider",
    "OpenAIProvider",
    "OpenRouterProvider",
    "VLLMProvider",
    "provider_class",
]
