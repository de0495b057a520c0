"""What a request to Gemini may ask for and the simulation takes without any effect on the answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["WITHOUT_EFFECT"]

_SAMPLING = "words are not sampled: a script, or the seed of `generates`, decides"
_CONFIG = "generationConfig"

WITHOUT_EFFECT: Mapping[str, tuple[Any, str]] = {
    f"{_CONFIG}.temperature": (0.2, _SAMPLING),
    f"{_CONFIG}.topP": (0.5, _SAMPLING),
    f"{_CONFIG}.topK": (5, _SAMPLING),
    f"{_CONFIG}.presencePenalty": (0.5, _SAMPLING),
    f"{_CONFIG}.frequencyPenalty": (0.5, _SAMPLING),
    f"{_CONFIG}.seed": (7, "answers repeat with any, and without one"),
    f"{_CONFIG}.responseModalities": (["TEXT"], "answers are text; sound and pictures come from no script"),
    f"{_CONFIG}.mediaResolution": ("MEDIA_RESOLUTION_LOW", "pictures are not looked at"),
    "safetySettings": (
        [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}],
        "nothing is filtered but what `faults.ContentFiltered()` or a `Reply` says",
    ),
    "cachedContent": ("cachedContents/c1", "nothing is kept; `cachedContentTokenCount` is what a `Reply` says"),
    "labels": ({"team": "x"}, "nobody is told apart"),
}
"""Field: an example of it, and what holds instead."""
