"""What OpenAI refuses of options: too many, one without the other, values it has not, and what a model cannot do.

The words are the API's own, as users of the official SDKs report them. A model of which it is not known what it refuses
refuses nothing here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from llmtest.wire.openai._checks import refuse

__all__ = ["check_options"]

MOST_STOPS = 4
_TIERS = frozenset({"auto", "default", "fast", "flex", "priority", "scale"})
_TOLD_TIERS = "'auto', 'default', 'fast', 'flex', and 'priority'"
"""The tiers as a refusal names them; `scale` is bought, and not told of."""
_EFFORTS = frozenset({"none", "minimal", "low", "medium", "high", "xhigh", "max"})
_TOLD_EFFORTS = "'none', 'low', 'medium', 'high', and 'xhigh'"
_REASONING = re.compile(r"(?:ft:)?(?:o\d(?:-|$)|gpt-5(?!-chat))")
"""Models that think before they answer; they know the limit by its new name alone."""
_ALWAYS_THINKS = re.compile(r"(?:ft:)?(?:o\d(?:-|$)|gpt-5(?:-(?!chat)|$))")
"""Models that cannot leave it out; the later ones of GPT-5 think where they are asked for an effort."""
_OWN_EFFORTS = (
    (re.compile(r"(?:ft:)?o\d(?:-mini)?(?:-\d{4}-\d\d-\d\d)?$"), ("low", "medium", "high")),
    (re.compile(r"gpt-5(?:-mini|-nano)?(?:-\d{4}-\d\d-\d\d)?$"), ("minimal", "low", "medium", "high")),
)
"""Efforts of the models that have fewer than others."""


def check_options(body: Mapping[str, Any]) -> None:
    """Check the options of a chat completion request, in the order in which OpenAI does.

    Args:
        body: A request whose fields have the right types.

    Raises:
        WireFormatError: OpenAI would refuse it.
    """
    if body.get("top_logprobs") is not None and body.get("logprobs") is not True:
        raise refuse("The 'top_logprobs' parameter is only allowed when 'logprobs' is enabled.", "top_logprobs")
    tier = body.get("service_tier")
    if tier is not None and tier not in _TIERS:
        raise refuse(f"Invalid value: '{tier}'. Supported values are: {_TOLD_TIERS}.", "service_tier", "invalid_value")
    model = body["model"]
    reasons = _REASONING.match(model) is not None
    if body.get("max_tokens") is not None and reasons:
        raise refuse(
            "Unsupported parameter: 'max_tokens' is not supported with this model. "
            "Use 'max_completion_tokens' instead.",
            "max_tokens",
            "unsupported_parameter",
        )
    if reasons:
        _check_effort(model, body.get("reasoning_effort"))
    stop = body.get("stop")
    if isinstance(stop, list) and len(stop) > MOST_STOPS:
        raise refuse(
            f"Invalid 'stop': array too long. Expected an array with maximum length {MOST_STOPS}, but got an array "
            f"with length {len(stop)} instead.",
            "stop",
            "array_above_max_length",
        )
    if reasons and (_ALWAYS_THINKS.match(model) or body.get("reasoning_effort") not in (None, "none")):
        _check_sampling(model, body)


def _check_effort(model: str, effort: str | None) -> None:
    if effort is None:
        return
    told = _TOLD_EFFORTS
    known: frozenset[str] | tuple[str, ...] = _EFFORTS
    for pattern, own in _OWN_EFFORTS:
        if pattern.match(model):
            known, told = own, ", ".join(f"'{each}'" for each in own[:-1]) + f", and '{own[-1]}'"
    if effort not in known:
        raise refuse(
            f"Unsupported value: 'reasoning_effort' does not support '{effort}' with this model. "
            f"Supported values are: {told}.",
            "reasoning_effort",
            "unsupported_value",
        )


def _check_sampling(model: str, body: Mapping[str, Any]) -> None:
    """Check that a model that thinks is left to choose its words by itself; what is the default may be said."""
    temperature = body.get("temperature")
    if temperature not in (None, 1) and not model.startswith("o3-mini"):
        raise refuse(
            f"Unsupported value: 'temperature' does not support {temperature} with this model. "
            "Only the default (1) value is supported.",
            "temperature",
            "unsupported_value",
        )
    for name, default in (("temperature", 1), ("top_p", 1), ("presence_penalty", 0), ("frequency_penalty", 0)):
        if body.get(name) not in (None, default):
            raise refuse(
                f"Unsupported parameter: '{name}' is not supported with this model.", name, "unsupported_parameter"
            )
