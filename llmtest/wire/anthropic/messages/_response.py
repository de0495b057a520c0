"""Anthropic messages: the complete answer, between JSON and types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from llmtest.errors import InvalidResponseError
from llmtest.types import (
    CompletionResponse,
    FinishReason,
    OpaquePart,
    ResponsePart,
    ToolCall,
    Usage,
)
from llmtest.wire._json import dump_text, dumps
from llmtest.wire._records import ResponseMeta
from llmtest.wire.anthropic.messages._parts import DIALECT, decode_part, encode_part, tool_input
from llmtest.wire.anthropic.messages._usage import decode_tier, decode_usage, encode_usage

FINISH = {
    "end_turn": FinishReason.STOP,
    "stop_sequence": FinishReason.STOP,
    "max_tokens": FinishReason.LENGTH,
    "model_context_window_exceeded": FinishReason.LENGTH,
    "tool_use": FinishReason.TOOL_USE,
    "refusal": FinishReason.REFUSAL,
}
RAW_FINISH = {
    FinishReason.STOP: "end_turn",
    FinishReason.LENGTH: "max_tokens",
    FinishReason.TOOL_USE: "tool_use",
    FinishReason.CONTENT_FILTER: "refusal",
    FinishReason.REFUSAL: "refusal",
    FinishReason.UNKNOWN: "pause_turn",
}
_MODELLED = frozenset({"model", "id", "type", "role", "content", "stop_reason", "usage"})
_NULLABLE = frozenset({"stop_sequence", "stop_details"})


def usage_body(response: CompletionResponse) -> dict[str, Any]:
    """Return the usage to write: the one that was read, where it still says the same. The SDK cannot do without."""
    raw = response.extra_for(DIALECT).get("usage") if response.extra else None
    if isinstance(raw, dict) and decode_usage(raw) == response.usage and decode_tier(raw) == _told_tier(response):
        return raw
    return encode_usage(response.usage, response.service_tier)


def _told_tier(response: CompletionResponse) -> str | None:
    return None if response.service_tier in ("default", "auto") else response.service_tier


def content_body(response: CompletionResponse) -> Sequence[Mapping[str, Any]]:
    """Return the blocks to write: those that were read, where they still say the same."""
    raw = response.extra_for(DIALECT).get("content") if response.extra else None
    if isinstance(raw, list) and _alike(tuple(map(decode_part, raw)), response.parts):
        return raw
    return [encode_part(part, answer=True) for part in response.parts]


def _alike(read: Sequence[ResponsePart], parts: Sequence[ResponsePart]) -> bool:
    """Compare parts; arguments that came as a stream are the model's own text, and equal as JSON."""
    return len(read) == len(parts) and all(
        one == other
        or (
            isinstance(one, ToolCall)
            and isinstance(other, ToolCall)
            and (one.id, one.name) == (other.id, other.name)
            and tool_input(one.arguments) == tool_input(other.arguments)
        )
        for one, other in zip(read, parts, strict=True)
    )


def raw_finish_of(response: CompletionResponse) -> str | None:
    """Return the provider's word for the finish reason: its own, where it still fits."""
    finish, raw = response.finish_reason, response.raw_finish_reason
    if finish is None:
        return None
    if raw is not None and FINISH.get(raw, FinishReason.UNKNOWN) is finish:
        return raw
    return RAW_FINISH[finish]


def encode_body(response: CompletionResponse, meta: ResponseMeta) -> dict[str, Any]:
    """Write the body of a complete answer."""
    finish = raw_finish_of(response)
    body: dict[str, Any] = {
        "model": response.model if response.model is not None else meta.model,
        "id": response.id if response.id is not None else meta.id,
        "type": "message",
        "role": "assistant",
        "content": content_body(response),
        "stop_reason": finish,
        "stop_sequence": None,
        "stop_details": {"type": "refusal", "category": None, "explanation": None} if finish == "refusal" else None,
        "usage": usage_body(response),
    }
    if response.extra:
        extra = response.extra_for(DIALECT)
        body.update((name, value) for name, value in extra.items() if name not in {"content", "usage"})
    return body


def is_plain(response: CompletionResponse) -> bool:
    """Tell whether nothing of an answer but its id differs from one request to the next, and all of it can be kept."""
    return not (response.extra or response.service_tier) and OpaquePart not in map(type, response.parts)


def encode_bytes(response: CompletionResponse, meta: ResponseMeta) -> bytes:
    """Write a complete answer; what does not change from one request to the next is written once."""
    if not is_plain(response):
        return dumps(encode_body(response, meta))
    model = meta.model if response.model is None else response.model
    tail = _tail(response.parts, response.finish_reason, response.raw_finish_reason, response.usage)
    identity = dump_text(meta.id if response.id is None else response.id)
    return f'{{"model":{dump_text(model)},"id":{identity},'.encode() + tail


@lru_cache(maxsize=256)
def _tail(
    parts: tuple[ResponsePart, ...], finish_reason: FinishReason | None, raw_finish_reason: str | None, usage: Usage
) -> bytes:
    """Write everything after the id."""
    response = CompletionResponse(
        parts=parts, finish_reason=finish_reason, raw_finish_reason=raw_finish_reason, usage=usage
    )
    body = encode_body(response, ResponseMeta())
    del body["model"], body["id"]
    return dumps(body)[1:]


def decode_body(body: Mapping[str, Any], request_id: str | None) -> CompletionResponse:
    """Read the body of a complete answer.

    Raises:
        InvalidResponseError: There is no `content` list in it.
    """
    content = body.get("content")
    if not isinstance(content, list):
        raise InvalidResponseError("the answer has no `content` list", status=200, request_id=request_id)
    parts = tuple(map(decode_part, content))
    raw = body.get("stop_reason")
    raw = raw if isinstance(raw, str) else None
    usage, tier = decode_usage(body.get("usage")), decode_tier(body.get("usage"))
    extra = {
        name: value
        for name, value in body.items()
        if name not in _MODELLED and not (value is None and name in _NULLABLE)
    }
    if [encode_part(part, answer=True) for part in parts] != content:
        extra["content"] = content
    if isinstance(body.get("usage"), dict) and encode_usage(usage, tier) != body["usage"]:
        extra["usage"] = body["usage"]
    return CompletionResponse(
        parts=parts,
        finish_reason=None if raw is None else FINISH.get(raw, FinishReason.UNKNOWN),
        raw_finish_reason=raw,
        usage=usage,
        model=body.get("model"),
        id=body.get("id"),
        request_id=request_id,
        extra={DIALECT: extra} if extra else {},
        service_tier=tier,
    )
