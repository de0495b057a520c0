"""A slot whose one policy is given beside it, for what puts a single policy around a provider."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from llmtest.errors import ConfigurationError
from llmtest.resilience.fallback._slot import FallbackSlot
from llmtest.types import Provider

__all__ = ["slot_with"]


def slot_with(
    provider: Provider | FallbackSlot, policy: str, config: Any, *, kind: type, user: str, fix: str
) -> FallbackSlot:
    """Return a provider, or its slot, with a policy.

    Args:
        provider: The provider, or a slot without this policy.
        policy: Name of the policy in a slot.
        config: Its settings; None: the defaults.
        kind: Class of the settings.
        user: Who takes them, for errors.
        fix: Settings as they may be written, for errors.

    Raises:
        ConfigurationError: The settings are of another class, or the slot has the policy already.
    """
    settings = kind() if config is None else config
    if not isinstance(settings, kind):
        raise ConfigurationError(
            f"a `{user}` takes a `{kind.__name__}`, not {config!r}.\nTo fix: {user}(provider, {kind.__name__}({fix}))"
        )
    slot = provider if isinstance(provider, FallbackSlot) else FallbackSlot(provider=provider)
    if getattr(slot, policy) is not None:
        raise ConfigurationError(
            f"slot `{slot.provider.name}` has a `{policy}`, and its `{user}` too, of which only one would hold.\n"
            "To fix: leave one of the two out"
        )
    changed: dict[str, Any] = {policy: settings}
    return replace(slot, **changed)
