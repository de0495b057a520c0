"""Providers by the names that chain files use."""

from __future__ import annotations

from llmtest.providers import provider_class
from llmtest.types import Provider
from llmtest.wire import dialect, dialects

__all__ = ["make_provider", "provider_names"]


def provider_names() -> list[str]:
    """Return the names of the providers that can be made: who has an address, or a variable for it, or speaks alike."""
    return [
        name
        for name, each in dialects().items()
        if each.base_url is not None or each.variables.base_urls or not each.is_provider
    ]


def make_provider(
    name: str, *, model: str | None, api_key: str | None, base_url: str | None, api: str | None = None
) -> Provider:
    """Make a provider; what is None is read from the environment.

    Args:
        name: One of `provider_names()`.
        model: Model to ask for.
        api_key: Its key.
        base_url: Where it is.
        api: Which of its APIs answers conversations.

    Raises:
        ConfigurationError: A key or an address is missing, or there is no such API.
    """
    given = {"model": model, "api_key": api_key, "base_url": base_url, "api": api}
    settings = {key: value for key, value in given.items() if value is not None}
    provider: Provider = provider_class(dialect(name)).from_env(**settings)
    return provider
