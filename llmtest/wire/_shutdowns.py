"""Models that are served no more: on which day, as their providers have announced it."""

from __future__ import annotations

from datetime import date
from functools import lru_cache
from typing import NamedTuple

from llmtest.wire._owners import owner_of
from llmtest.wire._registry import dialects

__all__ = ["Shutdown", "shutdowns_at"]


class Shutdown(NamedTuple):
    """The end of a model.

    Args:
        model: Its name.
        provider: What a sentence calls its provider.
        on: The day on which it is shut down; whether it is served on that day still, nobody says.
    """

    model: str
    provider: str
    on: date


def shutdowns_at(url: str) -> dict[str, Shutdown]:
    """Return the ends that the provider at an address has announced, by the name of the model.

    Empty where nobody is known to be there, and where others host the models of a provider: they keep them for as long
    as they like.
    """
    owner = owner_of(url)
    return {} if owner is None or not owner.shutdowns else _by_model(owner.name)


@lru_cache(maxsize=16)
def _by_model(name: str) -> dict[str, Shutdown]:
    owner = dialects()[name]
    days = ((date.fromisoformat(day), models) for day, models in owner.shutdowns.items())
    return {model: Shutdown(model, owner.title, day) for day, models in days for model in models}
