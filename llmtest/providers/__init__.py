"""Who answers, for real: the client side of the providers, the only place that opens connections to them."""

from llmtest.providers._azure import AzureOpenAIProvider
from llmtest.providers._custom_provider import CustomProvider
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
from llmtest.providers._tokens import ClientCredentials, SessionToken, TokenSource

__all__ = [
    "AnthropicProvider",
    "AzureOpenAIProvider",
    "ClientCredentials",
    "CustomProvider",
    "GeminiProvider",
    "HttpProvider",
    "OllamaProvider",
    "OpenAICompatibleProvider",
    "OpenAIProvider",
    "OpenRouterProvider",
    "SessionToken",
    "TokenSource",
    "VLLMProvider",
    "provider_class",
]
