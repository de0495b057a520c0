"""What a request to Ollama's own API may ask for and the simulation takes without any effect on the answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["WITHOUT_EFFECT"]

_SAMPLING = "words are not sampled: a script, or the seed of `generates`, decides"
_HOST = "nothing is computed on this machine"

WITHOUT_EFFECT: Mapping[str, tuple[Any, str]] = {
    **{
        f"options.{name}": (1, _SAMPLING)
        for name in ("temperature", "top_p", "top_k", "min_p", "typical_p", "repeat_penalty", "repeat_last_n")
    },
    "options.presence_penalty": (0.5, _SAMPLING),
    "options.frequency_penalty": (0.5, _SAMPLING),
    "options.seed": (7, "answers repeat with any, and without one"),
    "options.num_ctx": (512, "prompts are not cut; a window that is too small is `faults.ContextLengthExceeded()`"),
    "think": (True, "thoughts are shown where a `Reply` says them"),
    "options.num_gpu": (1, _HOST),
    "options.num_thread": (2, _HOST),
    "options.num_batch": (8, _HOST),
}
"""Field: an example of it, and what holds instead."""
