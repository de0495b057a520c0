"""The whole answer: a response with its items, between JSON and types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from llmtest.errors import EmptyResponseError, InvalidResponseError
from llmtest.types import (
    CompletionResponse,
    FinishReason,
    OpaquePart,
    RefusalPart,
    ResponsePart,
    TextPart,
    ThinkingPart,
    ToolCall,
)
from llmtest.wire import _ids
from llmtest.wire._logprobs import with_logprobs
from llmtest.wire._records import ResponseMeta
from llmtest.wire.openai._shared_words import TIERS
from llmtest.wire.openai.responses._items import (
    DIALECT,
    decode_call,
    decode_content,
    decode_reasoning,
    encode_call,
    encode_reasoning,
    encode_text,
)
from llmtest.wire.openai.responses._options import LOGPROBS
from llmtest.wire.openai.responses._usage import decode_usage, encode_usage

__all__ = ["INCOMPLETE", "body_of", "decode_body", "finish_of", "head_of", "item_id", "items_of", "new_id", "usage_of"]

INCOMPLETE = {"max_output_tokens": FinishReason.LENGTH, "content_filter": FinishReason.CONTENT_FILTER}
"""Why an answer is incomplete, in OpenAI's words."""
_REASONS = {finish: word for word, finish in INCOMPLETE.items()}
_KEPT = frozenset({"output", "usage", "object"})
_MODELLED = frozenset({"id", "object", "model", "output", "usage", "service_tier"})

_DEFAULTS: Mapping[str, Any] = {
    "status": "completed",
    "background": False,
    "error": None,
    "incomplete_details": None,
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "model": None,
    "output": [],
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "prompt_cache_key": None,
    "reasoning": {"effort": None, "summary": None},
    "safety_identifier": None,
    "service_tier": "default",
    "store": True,
    "temperature": 1.0,
    "text": {"format": {"type": "text"}, "verbosity": "medium"},
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": 0,
    "top_p": 1.0,
    "truncation": "disabled",
    "usage": None,
    "user": None,
    "metadata": {},
}
"""Every field of an answer, in the order in which OpenAI says them, with what it says where a request is silent."""
_ECHOED = frozenset(_DEFAULTS) - {"status", "error", "incomplete_details", "model", "output", "usage", "service_tier"}


def new_id(prefix: str, meta: ResponseMeta, place: int = 0) -> str:
    """Return the id of a new thing, in the form of this API: `resp_`, `msg_`, `rs_`, `fc_` and 48 digits."""
    return f"{prefix}_{_ids.hexadecimal((meta.number or 0) + place, 48)}"


def item_id(kind: str, meta: ResponseMeta, place: int) -> str:
    """Return the id of an item of an answer."""
    return new_id({"message": "msg", "reasoning": "rs"}.get(kind, "fc"), meta, place + 1)


def finish_of(body: Mapping[str, Any], parts: Sequence[ResponsePart]) -> tuple[FinishReason | None, str | None]:
    """Read why an answer ended, and OpenAI's own word for it."""
    status = body.get("status")
    if status == "incomplete":
        details = body.get("incomplete_details")
        reason = details.get("reason") if isinstance(details, dict) else None
        word = reason if isinstance(reason, str) else "incomplete"
        return INCOMPLETE.get(word, FinishReason.UNKNOWN), word
    if status in (None, "completed"):
        if any(isinstance(part, ToolCall) and not part.server for part in parts):
            return FinishReason.TOOL_USE, "completed"
        refused = any(isinstance(part, RefusalPart) for part in parts)
        return FinishReason.REFUSAL if refused else FinishReason.STOP, "completed"
    if status in ("queued", "in_progress"):
        return None, status
    return FinishReason.UNKNOWN, status if isinstance(status, str) else None


def decode_items(output: Sequence[Any]) -> tuple[ResponsePart, ...]:
    """Read the items of an answer."""
    parts: list[ResponsePart] = []
    for item in output:
        kind = item.get("type") if isinstance(item, dict) else None
        if kind == "message":
            parts += decode_content(item.get("content"))
        elif kind == "reasoning":
            parts.append(decode_reasoning(item))
        elif kind == "function_call":
            parts.append(decode_call(item))
        else:
            parts.append(OpaquePart(item if isinstance(item, dict) else {"type": "unknown", "value": item}, DIALECT))
    return tuple(parts)


def items_of(response: CompletionResponse, meta: ResponseMeta) -> list[dict[str, Any]]:
    """Return the items to write: those that were read, where they still say the same."""
    raw = response.extra_for(DIALECT).get("output") if response.extra else None
    if isinstance(raw, list) and decode_items(raw) == response.parts:
        return raw
    parts = response.parts
    if response.finish_reason is FinishReason.REFUSAL and not any(isinstance(part, RefusalPart) for part in parts):
        parts = tuple(RefusalPart(part.text) if isinstance(part, TextPart) else part for part in parts)
    found: list[dict[str, Any]] = []
    for part in parts:
        place = len(found)
        if isinstance(part, TextPart | RefusalPart):
            if not found or found[-1]["type"] != "message":
                identity = item_id("message", meta, place)
                found.append(
                    {"id": identity, "type": "message", "status": "completed", "content": [], "role": "assistant"}
                )
            text = encode_text(part) if isinstance(part, TextPart) else {"type": "refusal", "refusal": part.text}
            found[-1]["content"].append(text)
        elif isinstance(part, ThinkingPart):
            found.append(encode_reasoning(part, item_id("reasoning", meta, place)))
        elif isinstance(part, ToolCall) and not part.server:
            found.append(encode_call(part, item_id("function_call", meta, place)))
        elif isinstance(part, OpaquePart) and part.dialect in (None, DIALECT):
            found.append(dict(part.data))
    return found


def usage_of(response: CompletionResponse) -> dict[str, Any] | None:
    """Return the usage to write: the one that was read, where it still says the same."""
    raw = response.extra_for(DIALECT).get("usage") if response.extra else None
    if isinstance(raw, dict) and decode_usage(raw) == response.usage:
        return raw
    return None if response.usage.source == "unknown" else encode_usage(response.usage)


def head_of(response: CompletionResponse, meta: ResponseMeta, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return every field of an answer but its items and usage, as it was read or as OpenAI would have it.

    Args:
        response: What is answered.
        meta: What surrounds it.
        asked: The body of the request, which an answer repeats.
    """
    read = response.extra_for(DIALECT) if response.extra else {}
    head: dict[str, Any] = {
        "id": response.id if response.id is not None else new_id("resp", meta),
        "object": "response",
        "created_at": meta.created_s,
    }
    if "status" in read:
        # It is an answer that was read, and says what was said, and no more.
        head.update((name, value) for name, value in read.items() if name not in _KEPT)
        head["model"] = response.model
        if response.service_tier is not None:
            head["service_tier"] = response.service_tier
        return head
    head.update(_DEFAULTS)
    for name in _ECHOED & asked.keys():
        if asked[name] is not None:
            head[name] = asked[name]
    head["text"] = {**_DEFAULTS["text"], **head["text"]}
    head["reasoning"] = {**_DEFAULTS["reasoning"], **head["reasoning"]}
    head["model"] = response.model if response.model is not None else meta.model
    tier = response.service_tier or asked.get("service_tier") or "default"
    head["service_tier"] = TIERS.get(tier, tier)
    word = _REASONS.get(response.finish_reason) if response.finish_reason is not None else None
    if word is not None:
        head["status"], head["incomplete_details"] = "incomplete", {"reason": word}
    head.update((name, value) for name, value in read.items() if name not in _KEPT)
    return head


def body_of(response: CompletionResponse, meta: ResponseMeta, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Write the body of a whole answer; `head_of` has the arguments."""
    body = head_of(response, meta, asked)
    body["output"] = items_of(_with_logprobs(response, asked), meta)
    body["usage"] = usage_of(response)
    return body


def _with_logprobs(response: CompletionResponse, asked: Mapping[str, Any]) -> CompletionResponse:
    top = asked.get("top_logprobs") or 0
    if LOGPROBS not in (asked.get("include") or ()) and not top:
        return response
    return with_logprobs(response, top)


def decode_body(body: Mapping[str, Any], request_id: str | None) -> CompletionResponse:
    """Read the body of a whole answer.

    Raises:
        EmptyResponseError: There are no items in it, and it is said to be complete.
        InvalidResponseError: `output` is no list of objects.
    """
    output = body.get("output")
    if not isinstance(output, list) or not all(isinstance(item, dict) for item in output):
        raise InvalidResponseError("`output` of the answer is no list of objects", status=200, request_id=request_id)
    if not output and body.get("status") in (None, "completed"):
        raise EmptyResponseError("the answer has no items", status=200, request_id=request_id)
    parts = decode_items(output)
    usage = decode_usage(body.get("usage"))
    extra = {name: value for name, value in body.items() if name not in _MODELLED}
    extra["output"] = output
    if isinstance(body.get("usage"), dict) and encode_usage(usage) != body["usage"]:
        extra["usage"] = body["usage"]
    finish, raw = finish_of(body, parts)
    tier = body.get("service_tier")
    return CompletionResponse(
        parts=parts,
        finish_reason=finish,
        raw_finish_reason=raw,
        usage=usage,
        model=body.get("model"),
        id=body.get("id"),
        request_id=request_id,
        extra={DIALECT: extra},
        service_tier=tier if isinstance(tier, str) else None,
    )
