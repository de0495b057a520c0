"""Providers by the names that chain files use."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmtest.config._modes import MOCK, simulated
from llmtest.errors import ConfigurationError
from llmtest.providers import CustomProvider, provider_class
from llmtest.types import Provider
from llmtest.wire import dialect, dialects

if TYPE_CHECKING:
    from llmtest.config._chain_section import SlotSection

__all__ = ["CUSTOM", "make_provider", "provider_names"]

CUSTOM = "custom"
"""The name of a provider that a mapping describes."""
SETTINGS = ("model", "base_url", "api", "headers", "api_version", "deployment")
"""Keys of a slot that its provider is given as they are."""
AUTH = ("auth_type", "auth_token", "api_key_header", "token_url", "client_id", "client_secret", "scope", "audience")
"""Keys of `custom` that say how the key is sent; the others say which field holds what."""


def provider_names() -> list[str]:
    """Return the names of the providers that can be made: who has an address, or a variable for it, or speaks alike."""
    known = [
        name
        for name, each in dialects().items()
        if each.base_url is not None or each.variables.base_urls or not each.is_provider
    ]
    return [*known, CUSTOM, MOCK]


def make_provider(
    name: str, slot: SlotSection, api_key: str | None, environment: Mapping[str, str] | None, folder: Path | None
) -> Provider:
    """Make a provider; what its slot does not say is read from the environment.

    Args:
        name: One of `provider_names()`.
        slot: What the file says.
        api_key: The key that the slot names.
        environment: What references to keys read; None takes the environment of the process.
        folder: What paths of keys are relative to.

    Raises:
        ConfigurationError: A key or an address is missing, or a key of the slot says nothing to this provider.
    """
    for key, only in (("custom", CUSTOM), ("responses", MOCK)):
        if getattr(slot, key) is not None and name != only:
            raise ConfigurationError(f"`{key}` says nothing to `{name}`; it is for `provider: {only}`")
    if name == MOCK:
        return simulated(slot.name or MOCK, slot.model, slot.responses)
    settings = {key: value for key in SETTINGS if (value := getattr(slot, key)) is not None}
    if slot.prices is not None:
        settings["price"] = slot.prices
    if slot.streaming is not None:
        settings |= slot.streaming.settings
    if name == CUSTOM:
        return CustomProvider.from_env(**{"api_key": api_key, **_custom(slot, settings, environment, folder)})
    made = provider_class(dialect(name))
    taken = inspect.signature(made.__init__).parameters
    for key in ("api_version", "deployment"):
        if key in settings and key not in taken:
            raise ConfigurationError(f"`{key}` says nothing to `{name}`")
    if api_key is not None:
        settings["api_key"] = api_key
    provider: Provider = made.from_env(**settings)
    return provider


def _custom(
    slot: SlotSection, settings: dict[str, Any], environment: Mapping[str, str] | None, folder: Path | None
) -> dict[str, Any]:
    """Return the arguments of a `CustomProvider`: VAPORA gives an `endpoint`, Caxton a `provider_config`."""
    from llmtest.config._secrets import Secret

    for key in ("api", "api_version", "deployment"):
        if key in settings:
            raise ConfigurationError(f"`{key}` says nothing to `{CUSTOM}`")
    if slot.custom is None:
        return settings
    fields = dict(slot.custom)
    found = {key: fields.pop(key) for key in AUTH if key in fields}
    address = fields.pop("base_url", None)
    if address is not None:
        settings.setdefault("base_url", address)
    fields.setdefault("path", "")
    # Caxton's example gives both and names no fields for them; they go by their own names.
    for name in ("max_tokens", "temperature"):
        if getattr(slot, name) is not None:
            fields.setdefault(f"{name}_field", name)

    def revealed(value: Any) -> str:
        return Secret(value).reveal(environment, folder)

    if "auth_token" in found:
        settings["api_key"] = revealed(found.pop("auth_token"))
    for name in ("auth_type", "api_key_header"):
        if name in found:
            settings[name] = found.pop(name)
    if found:
        settings["oauth2"] = {key: revealed(value) if key == "client_secret" else value for key, value in found.items()}
    return {**settings, "fields": fields}
