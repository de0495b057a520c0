"""What a response may be asked for beside its conversation and tools, between JSON and types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmtest.errors import NotSupportedError
from llmtest.types import CompletionRequest, ResponseFormat
from llmtest.wire.openai._shared_words import decode_form, encode_schema

__all__ = ["LOGPROBS", "decode_options", "encode_options", "format_of", "refuse_unsayable"]

LOGPROBS = "message.output_text.logprobs"
"""What `include` names where log probabilities are wanted."""
_PLAIN = ("temperature", "top_p", "parallel_tool_calls", "service_tier")


def encode_options(request: CompletionRequest, extra: dict[str, Any], body: dict[str, Any]) -> None:
    """Write the options into a body; what of `extra` says the same in more words is taken out of it and written.

    Raises:
        NotSupportedError: The API has no word for one that would change the answer.
    """
    refuse_unsayable(request)
    for name in _PLAIN:
        value = getattr(request, name)
        if value is not None:
            body[name] = value
    if request.service_tier == "standard_only":
        body["service_tier"] = "default"
    if request.max_tokens is not None:
        body["max_output_tokens"] = request.max_tokens
    _write_text(request, extra, body)
    raw = extra.pop("reasoning", None)
    if isinstance(raw, dict) and raw.get("effort") == request.reasoning_effort:
        body["reasoning"] = raw
    elif request.reasoning_effort is not None:
        body["reasoning"] = {"effort": request.reasoning_effort}
    if request.logprobs or request.top_logprobs is not None:
        included = extra.pop("include", ())
        body["include"] = [*included, *(() if LOGPROBS in included else (LOGPROBS,))]
        body["top_logprobs"] = request.top_logprobs or 0
    if request.metadata:
        body["metadata"] = dict(request.metadata)


def refuse_unsayable(request: CompletionRequest) -> None:
    """Refuse what the API has no word for and what would change the answer.

    Raises:
        NotSupportedError: The request asks for such a thing.
    """
    if request.n is not None and request.n > 1:
        raise NotSupportedError(
            f"openai_responses: one answer at a time, not n={request.n}; Chat Completions has it", model=request.model
        )
    if request.stop_sequences:
        raise NotSupportedError("openai_responses: there is no `stop`; Chat Completions has it", model=request.model)
    if request.top_k is not None:
        raise NotSupportedError("openai_responses: there is no `top_k`", model=request.model)
    if request.max_tokens == 0:
        raise NotSupportedError("openai_responses: an answer has tokens; `max_tokens=0` is Anthropic's")


def _write_text(request: CompletionRequest, extra: dict[str, Any], body: dict[str, Any]) -> None:
    raw, form = extra.pop("text", None), request.response_format
    if isinstance(raw, dict) and format_of(raw) == form:
        body["text"] = raw
        return
    more = {key: value for key, value in raw.items() if key != "format"} if isinstance(raw, dict) else {}
    if form is not None:
        body["text"] = {"format": encode_format(form), **more}
    elif more:
        body["text"] = more


def encode_format(form: ResponseFormat) -> dict[str, Any]:
    """Write in which form the answer is wanted."""
    return {"type": form.type, **(encode_schema(form) if form.type == "json_schema" else {})}


def format_of(text: object) -> ResponseFormat | None:
    """Read in which form the answer is wanted; None where nothing is said, or a form that is not modelled."""
    raw = text.get("format") if isinstance(text, dict) else None
    return decode_form(raw.get("type"), raw) if isinstance(raw, dict) else None


def decode_options(body: Mapping[str, Any], extra: dict[str, Any]) -> dict[str, Any]:
    """Read the options of a body that has been checked; what is read in full is taken out of `extra`."""
    found: dict[str, Any] = {}
    for name in _PLAIN:
        value = extra.pop(name, None)
        if value is not None:
            found[name] = value
    limit = extra.pop("max_output_tokens", None)
    if limit is not None:
        found["max_tokens"] = limit
    form = format_of(body.get("text"))
    if form is not None:
        found["response_format"] = form
        if body["text"] == {"format": encode_format(form)}:
            del extra["text"]
    reasoning = body.get("reasoning")
    effort = reasoning.get("effort") if isinstance(reasoning, dict) else None
    if isinstance(effort, str):
        found["reasoning_effort"] = effort
        if reasoning == {"effort": effort}:
            del extra["reasoning"]
    included, top = body.get("include") or [], extra.pop("top_logprobs", None)
    if LOGPROBS in included or top:
        found["logprobs"] = True
        found["top_logprobs"] = top or 0
        extra["include"] = [name for name in included if name != LOGPROBS]
        if not extra["include"]:
            del extra["include"]
    labels = extra.pop("metadata", None)
    if isinstance(labels, dict) and labels:
        found["metadata"] = labels
    return found
