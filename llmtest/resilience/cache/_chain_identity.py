"""Whom a chain asks, as a text: chains with another text do not get each other's answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from llmtest.resilience.pipeline._running_slot import RunningSlot

__all__ = ["first_asked", "identity_of", "models_of"]


def identity_of(places: Sequence[RunningSlot]) -> str:
    """Return everything about the places of a chain that an answer depends on; no keys."""
    return repr([_of(place) for place in places])


def _of(place: RunningSlot) -> tuple[object, ...]:
    provider, config = place.provider, place.config
    inner = getattr(provider, "places", None)
    return (
        provider.name,
        provider.model,
        getattr(provider, "base_url", None),
        getattr(provider, "api", None),
        sorted(config.model_mapping.items()),
        config.max_tokens,
        config.temperature,
        identity_of(inner) if place.is_chain and inner is not None else None,
    )


def models_of(places: Sequence[RunningSlot]) -> frozenset[str]:
    """Return the models that are asked for where a request names none."""
    found: set[str] = set()
    for place in places:
        inner = getattr(place.provider, "places", None)
        if place.is_chain and inner is not None:
            found |= models_of(inner)
        elif place.provider.model is not None:
            found.add(place.provider.model)
    return frozenset(found)


def first_asked(places: Sequence[RunningSlot]) -> str | None:
    """Return the name of the provider that is asked first; None where a wrapper hides it."""
    place = places[0]
    if not place.is_chain:
        return place.name
    inner: Any = getattr(place.provider, "places", None)
    return None if inner is None else first_asked(inner)
