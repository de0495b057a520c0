"""What prices and budgets offer and cannot do themselves, because it stands on a floor above: asked for by name.

The reader of price files knows the formats of files, and the guard of HTTP clients how APIs are written; both use this
room. They are looked up when somebody asks, so that this room needs nothing above it to be imported.
"""

from __future__ import annotations

from pkgutil import resolve_name
from typing import Any

__all__ = ["from_above"]

PLACES = {"load_prices": "llmtest.config:load_prices", "guarded_transport": "llmtest.resilience:guarded_transport"}


def from_above(name: str) -> Any:
    """Return what a floor above has under a name of `PLACES`."""
    return resolve_name(PLACES[name])
