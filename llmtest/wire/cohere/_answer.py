"""What Cohere answers, between JSON and types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from llmtest.errors import EmptyResponseError
from llmtest.types import (
    UNKNOWN_USAGE,
    Citation,
    CompletionResponse,
    FinishReason,
    ResponsePart,
    TextPart,
    ThinkingPart,
    ToolCall,
    Usage,
)
from llmtest.wire._json import count
from llmtest.wire._records import ResponseMeta
from llmtest.wire.cohere._likely import decode_likely, encode_likely
from llmtest.wire.cohere._request import NAME

__all__ = ["FINISH", "answer_body", "decode_body", "decode_usage", "encode_usage"]

FINISH = {
    "COMPLETE": FinishReason.STOP,
    "STOP_SEQUENCE": FinishReason.STOP,
    "MAX_TOKENS": FinishReason.LENGTH,
    "TOOL_CALL": FinishReason.TOOL_USE,
    "ERROR_TOXIC": FinishReason.CONTENT_FILTER,
}
_WORDS = {reason: word for word, reason in reversed(FINISH.items())}


def decode_usage(raw: object) -> Usage:
    """Read usage: what is billed, for that is what has a price; the tokens of its own prompts are not."""
    told = raw if isinstance(raw, dict) else {}
    billed = next((told[name] for name in ("billed_units", "tokens") if isinstance(told.get(name), dict)), None)
    if billed is None:
        return UNKNOWN_USAGE
    return Usage(
        count(billed.get("input_tokens")), count(billed.get("output_tokens")), count(told.get("cached_tokens"))
    )


def encode_usage(usage: Usage) -> dict[str, Any]:
    """Write usage: what is billed, and the same as what there was."""
    tokens = {"input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens}
    cached = {"cached_tokens": usage.cache_read_tokens} if usage.cache_read_tokens else {}
    return {"billed_units": tokens, "tokens": tokens, **cached}


def _citation(raw: Mapping[str, Any]) -> Citation:
    source = next((each for each in raw.get("sources") or () if isinstance(each, dict)), {})
    document = source.get("document")
    document = document if isinstance(document, dict) else {}
    return Citation(
        document.get("url"),
        document.get("title"),
        document.get("text") or document.get("snippet"),
        start=raw.get("start"),
        end=raw.get("end"),
        file_id=source.get("id"),
    )


def _cited(part: TextPart) -> list[dict[str, Any]]:
    """Write the citations of a text."""
    found = []
    for each in part.citations:
        start, end = each.start or 0, len(part.text) if each.end is None else each.end
        document = {
            name: text for name, text in (("title", each.title), ("url", each.url), ("text", each.text)) if text
        }
        source = {"type": "document", "id": each.file_id or "doc:0", "document": document}
        found.append(
            {"start": start, "end": end, "text": part.text[start:end], "sources": [source], "type": "TEXT_CONTENT"}
        )
    return found


def decode_parts(message: Mapping[str, Any]) -> tuple[ResponsePart, ...]:
    """Read a message: thoughts, text, calls of tools; the plan before calls is a text."""
    parts: list[ResponsePart] = []
    citations = tuple(_citation(each) for each in message.get("citations") or () if isinstance(each, dict))
    plan = message.get("tool_plan")
    if isinstance(plan, str) and plan:
        parts.append(TextPart(plan))
    content = message.get("content")
    for block in content if isinstance(content, list) else ():
        if not isinstance(block, dict):
            continue
        if isinstance(block.get("thinking"), str):
            parts.append(ThinkingPart(block["thinking"]))
        elif isinstance(block.get("text"), str):
            parts.append(TextPart(block["text"], citations))
    calls = message.get("tool_calls")
    for call in calls if isinstance(calls, list) else ():
        function = call.get("function") or {}
        parts.append(ToolCall(call.get("id") or "", function.get("name") or "", function.get("arguments") or ""))
    return tuple(parts)


def encode_message(parts: Sequence[ResponsePart]) -> dict[str, Any]:
    """Write a message."""
    calls = [part for part in parts if isinstance(part, ToolCall)]
    texts = [part for part in parts if isinstance(part, TextPart)]
    content = [{"type": "thinking", "thinking": part.text} for part in parts if isinstance(part, ThinkingPart)]
    message: dict[str, Any] = {"role": "assistant"}
    if calls and texts:
        message["tool_plan"] = "".join(part.text for part in texts)
    else:
        content += [{"type": "text", "text": part.text} for part in texts]
    if content:
        message["content"] = content
    if calls:
        message["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in calls
        ]
    citations = [each for part in texts for each in _cited(part)] if not calls else []
    if citations:
        message["citations"] = citations
    return message


def answer_body(response: CompletionResponse, meta: ResponseMeta) -> dict[str, Any]:
    """Write the body of an answer; what was read is said again as long as it says the same."""
    kept = dict(response.extra_for(NAME))
    raw, usage = kept.pop("message", None), kept.pop("usage", None)
    same = isinstance(raw, dict) and encode_message(decode_parts(raw)) == encode_message(response.parts)
    word = response.raw_finish_reason
    if word is None or FINISH.get(word, FinishReason.UNKNOWN) is not response.finish_reason:
        word = _WORDS.get(response.finish_reason or FinishReason.STOP, "ERROR")
    body: dict[str, Any] = {
        "id": response.id if response.id is not None else meta.id,
        "message": raw if same else encode_message(response.parts),
        "finish_reason": word,
    }
    likely = encode_likely(response.parts)
    if likely:
        body["logprobs"] = likely
    if isinstance(usage, dict) and decode_usage(usage) == response.usage:
        body["usage"] = usage
    elif response.usage.source != "unknown":
        body["usage"] = encode_usage(response.usage)
    return {**body, **kept}


def decode_body(body: Mapping[str, Any], request_id: str | None) -> CompletionResponse:
    """Read the body of an answer.

    Raises:
        EmptyResponseError: There is no message in it.
    """
    message = body.get("message")
    if not isinstance(message, dict):
        raise EmptyResponseError("the answer has no message", status=200, request_id=request_id)
    usage = decode_usage(body.get("usage"))
    parts = decode_likely(body.get("logprobs"), decode_parts(message))
    extra = {name: value for name, value in body.items() if name not in {"id", "message", "finish_reason", "usage"}}
    if "logprobs" in extra and encode_likely(parts) == extra["logprobs"]:
        del extra["logprobs"]
    if encode_message(parts) != message:
        extra["message"] = message
    if isinstance(body.get("usage"), dict) and encode_usage(usage) != body["usage"]:
        extra["usage"] = body["usage"]
    word = body.get("finish_reason")
    return CompletionResponse(
        parts=parts,
        finish_reason=FINISH.get(word, FinishReason.UNKNOWN) if isinstance(word, str) else None,
        raw_finish_reason=word if isinstance(word, str) else None,
        usage=usage,
        id=body.get("id"),
        request_id=request_id,
        extra={NAME: extra} if extra else {},
    )
