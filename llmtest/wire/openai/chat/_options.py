"""What a chat completion may be asked for beside its messages and tools, between JSON and types."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from llmtest.errors import NotSupportedError
from llmtest.types import CompletionRequest, ResponseFormat
from llmtest.wire._records import NO_FIELDS
from llmtest.wire.openai._shared_words import decode_form, encode_schema

OPENAI_S_OWN = re.compile(r"(?:openai/)?(?:o\d|chatgpt-|codex-|gpt-(?!oss))")
"""Models that are OpenAI's by their name; a server that speaks like OpenAI may have any other."""
PLAIN = ("seed", "n", "parallel_tool_calls", "reasoning_effort", "logprobs", "top_logprobs", "service_tier")
"""Options that have the same name and the same values here as in `CompletionRequest`."""
SHAPING = frozenset({"logprobs", "top_logprobs", "service_tier", "functions"})
"""Fields of a request that its answer depends on."""


def refuse_unsayable(request: CompletionRequest) -> None:
    """Refuse what Chat Completions have no word for and what would change the answer.

    Raises:
        NotSupportedError: The request asks for such a thing.
    """
    if request.top_k is not None and OPENAI_S_OWN.match(request.model or ""):
        raise NotSupportedError(f"openai: `{request.model}` cannot choose among the `top_k` likeliest tokens")
    if request.max_tokens == 0:
        raise NotSupportedError("openai: an answer has at least one token; `max_tokens=0` is Anthropic's")


def encode_options(request: CompletionRequest, extra: dict[str, Any], body: dict[str, Any]) -> None:
    """Write the options into a body; what of `extra` says the same in more words is taken out of it and written.

    Raises:
        NotSupportedError: The model cannot do what is asked.
    """
    refuse_unsayable(request)
    for name in PLAIN:
        value = getattr(request, name)
        if value is not None:
            body[name] = value
    if request.service_tier == "standard_only":
        body["service_tier"] = "default"
    if request.top_k is not None:
        body["top_k"] = request.top_k
    raw = extra.pop("response_format", None) if extra else None
    if raw is not None and decode_format(raw) == request.response_format:
        body["response_format"] = raw
    elif request.response_format is not None:
        body["response_format"] = encode_format(request.response_format)
    if request.metadata and extra.get("store") is True:
        body["metadata"] = dict(request.metadata)


def encode_limit(request: CompletionRequest, body: dict[str, Any]) -> None:
    """Write the limit on the answer.

    It goes by its new name, `max_completion_tokens`, to models that are OpenAI's by their name, because its reasoning
    models refuse the old one, and by `max_tokens` to all others, because some servers know only that.
    """
    if request.max_tokens is None:
        return
    name = "max_completion_tokens" if OPENAI_S_OWN.match(request.model or "") else "max_tokens"
    body[name] = request.max_tokens


def decode_options(body: Mapping[str, Any], extra: dict[str, Any]) -> dict[str, Any]:
    """Read the options of a body that has been checked; what is read is taken out of `extra`."""
    found: dict[str, Any] = {}
    for name in PLAIN:
        value = extra.pop(name, None)
        if value is not None:
            found[name] = value
    top_k = extra.get("top_k")
    if type(top_k) is int and top_k >= 0:
        found["top_k"] = extra.pop("top_k")
    raw = extra.get("response_format")
    form = None if raw is None else decode_format(raw)
    if form is not None:
        found["response_format"] = form
        if encode_format(form) == raw:
            del extra["response_format"]
    labels = extra.get("metadata")
    if isinstance(labels, dict):
        found["metadata"] = labels
        if body.get("store") is True:
            del extra["metadata"]
    return found


def encode_format(form: ResponseFormat) -> dict[str, Any]:
    """Write in which form the answer is wanted."""
    if form.type != "json_schema":
        return {"type": form.type}
    return {"type": "json_schema", "json_schema": encode_schema(form)}


def decode_format(raw: object) -> ResponseFormat | None:
    """Read in which form the answer is wanted; None where it is a form that is not modelled."""
    return decode_form(raw.get("type"), raw.get("json_schema")) if isinstance(raw, dict) else None


def shaping(body: Mapping[str, Any], *, is_openai: bool = True) -> Mapping[str, Any]:
    """Return the fields of a request that its answer depends on; most requests have none, and only OpenAI has tiers."""
    if SHAPING.isdisjoint(body):
        return NO_FIELDS
    names = SHAPING if is_openai else SHAPING - {"service_tier"}
    return {name: body[name] for name in names if body.get(name) is not None}
