"""What an Anthropic message may be asked for beside its conversation and tools, between JSON and types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmtest.errors import NotSupportedError
from llmtest.types import CompletionRequest, ResponseFormat

EFFORTS = ("low", "medium", "high", "xhigh", "max")
_TIERS = {"auto": "auto", "default": "standard_only", "standard_only": "standard_only"}
"""Anthropic's words for a tier; it has none for the others."""


def refuse_unsayable(request: CompletionRequest) -> None:
    """Refuse what Anthropic has no word for and what would change the answer.

    Raises:
        NotSupportedError: The request asks for such a thing.
    """
    form = request.response_format
    if request.n is not None and request.n > 1:
        raise NotSupportedError(f"anthropic: one answer at a time, not n={request.n}", model=request.model)
    if request.logprobs or request.top_logprobs is not None:
        raise NotSupportedError("anthropic: there are no log probabilities", model=request.model)
    if form is not None and form.type == "json_object":
        raise NotSupportedError("anthropic: JSON needs a schema: ResponseFormat.json_schema(...)", model=request.model)
    if request.reasoning_effort not in {None, *EFFORTS}:
        words = ", ".join(EFFORTS)
        raise NotSupportedError(
            f"anthropic: no effort `{request.reasoning_effort}`; there is {words}", model=request.model
        )
    if request.temperature is not None and request.temperature > 1:
        raise NotSupportedError(
            f"anthropic: temperature is from 0.0 to 1.0, not {request.temperature}", model=request.model
        )


def encode_options(request: CompletionRequest, extra: dict[str, Any], body: dict[str, Any]) -> None:
    """Write the options into a body; what of `extra` says the same in more words is taken out of it and written.

    Raises:
        NotSupportedError: Anthropic has no word for one that would change the answer.
    """
    refuse_unsayable(request)
    if request.top_k is not None:
        body["top_k"] = request.top_k
    tier = None if request.service_tier is None else _TIERS.get(request.service_tier)
    if tier is not None:
        body["service_tier"] = tier
    labels = extra.pop("metadata", None)
    if isinstance(labels, dict) and labels == request.metadata:
        body["metadata"] = labels
    elif "user_id" in request.metadata:
        body["metadata"] = {"user_id": request.metadata["user_id"]}
    form, effort = request.response_format, request.reasoning_effort
    raw, older = extra.pop("output_config", None), extra.pop("output_format", None)
    if older is not None and form is not None and decode_format(older) == form:
        body["output_format"], form = older, None
    if raw is not None and decode_config(raw) == (form, effort):
        body["output_config"] = raw
        return
    config = _encode_config(form, effort)
    if config:
        body["output_config"] = config


def _encode_config(form: ResponseFormat | None, effort: str | None) -> dict[str, Any]:
    config: dict[str, Any] = {} if effort is None else {"effort": effort}
    if form is not None and form.type == "json_schema":
        config["format"] = {"type": "json_schema", "schema": form.schema}
    return config


def decode_options(body: Mapping[str, Any], extra: dict[str, Any]) -> dict[str, Any]:
    """Read the options of a body that has been checked; what is read is taken out of `extra`."""
    found: dict[str, Any] = {}
    if "top_k" in extra:
        found["top_k"] = extra.pop("top_k")
    tier = extra.pop("service_tier", None)
    if tier is not None:
        found["service_tier"] = "default" if tier == "standard_only" else tier
    labels = extra.get("metadata")
    if isinstance(labels, dict):
        found["metadata"] = labels
        if labels.keys() == {"user_id"}:
            del extra["metadata"]
    form, effort = decode_config(extra.get("output_config"))
    if "output_config" in extra and _encode_config(form, effort) == extra["output_config"]:
        del extra["output_config"]
    if form is None:
        form = decode_format(body.get("output_format"))
    if form is not None:
        found["response_format"] = form
    if effort is not None:
        found["reasoning_effort"] = effort
    return found


def decode_config(raw: object) -> tuple[ResponseFormat | None, str | None]:
    """Read `output_config`: in which form the answer is wanted, and how much thought."""
    if not isinstance(raw, dict):
        return None, None
    effort = raw.get("effort")
    return decode_format(raw.get("format")), effort if isinstance(effort, str) else None


def decode_format(raw: object) -> ResponseFormat | None:
    """Read in which form the answer is wanted; None where it is a form that is not modelled."""
    if isinstance(raw, dict) and raw.get("type") == "json_schema" and isinstance(raw.get("schema"), dict):
        return ResponseFormat.json_schema(raw["schema"])
    return None
