"""What a request to Anthropic may ask for and the simulation takes without any effect on the answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["WITHOUT_EFFECT"]

_SAMPLING = "words are not sampled: a script, or the seed of `generates`, decides"

WITHOUT_EFFECT: Mapping[str, tuple[Any, str]] = {
    "temperature": (0.2, _SAMPLING),
    "top_p": (0.5, _SAMPLING),
    "top_k": (5, _SAMPLING),
    "container": ("container_1", "no code is run"),
    "inference_geo": ("us", "every place is alike, and so is its price"),
    "speed": ("standard", "answers take as long as `latency` says, whatever the speed, and cost the same"),
    "user_profile_id": ("u-1", "nobody is told apart"),
    "workspace_id": ("w-1", "nobody is told apart"),
}
"""Field: an example of it, and what holds instead."""
