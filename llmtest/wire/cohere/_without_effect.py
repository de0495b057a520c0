"""What a request to Cohere may ask for and the simulation takes without any effect on the answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["WITHOUT_EFFECT"]

_SAMPLING = "words are not sampled: a script, or the seed of `generates`, decides"

WITHOUT_EFFECT: Mapping[str, tuple[Any, str]] = {
    "temperature": (0.2, _SAMPLING),
    "p": (0.5, _SAMPLING),
    "k": (5, _SAMPLING),
    "frequency_penalty": (0.5, _SAMPLING),
    "presence_penalty": (0.5, _SAMPLING),
    "seed": (7, "answers repeat with any, and without one"),
    "safety_mode": ("STRICT", "nothing is filtered but what `faults.ContentFiltered()` or a `Reply` says"),
    "documents": (["Paris is a city."], "nothing is cited but what a `Reply` says"),
    "citation_options": ({"mode": "FAST"}, "nothing is cited but what a `Reply` says"),
    "priority": (1, "requests are answered in the order in which they come"),
}
"""Field: an example of it, and what holds instead."""
