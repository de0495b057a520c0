"""What a request to OpenAI may ask for and the simulation takes without any effect on the answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["WITHOUT_EFFECT"]

_CACHE = "prompts are not cached by themselves; `cached_tokens` is 0 but where a `Reply` says `usage=`"
_SAMPLING = "words are not sampled: a script, or the seed of `generates`, decides"

WITHOUT_EFFECT: Mapping[str, tuple[Any, str]] = {
    "temperature": (0.2, _SAMPLING),
    "top_p": (0.5, _SAMPLING),
    "frequency_penalty": (0.5, _SAMPLING),
    "presence_penalty": (0.5, _SAMPLING),
    "logit_bias": ({"50256": -100}, _SAMPLING),
    "seed": (7, "answers repeat with any, and without one"),
    "verbosity": ("low", "generated text has as many words as `generates(words=)` says"),
    "modalities": (["text"], "answers are text; sound comes from no script"),
    "prediction": ({"type": "content", "content": "x"}, "nothing is predicted; both counts of its tokens are 0"),
    "web_search_options": ({}, "nothing is searched"),
    "user": ("u-1", "nobody is told apart"),
    "safety_identifier": ("u-1", "nobody is told apart"),
    "prompt_cache_key": ("k", _CACHE),
    "prompt_cache_retention": ("24h", _CACHE),
    "parallel_tool_calls": (True, "generated answers call one tool at most; scripted ones what the script says"),
}
"""Field: an example of it, and what holds instead."""
