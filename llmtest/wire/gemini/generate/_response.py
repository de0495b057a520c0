"""Gemini's answer: candidates and usage, between JSON and types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmtest.errors import ContentFilteredError, EmptyResponseError, InvalidResponseError
from llmtest.types import UNKNOWN_USAGE, CompletionResponse, FinishReason, ResponsePart, ToolCall, Usage
from llmtest.wire import _ids
from llmtest.wire._json import count, is_counted
from llmtest.wire._records import ResponseMeta
from llmtest.wire.gemini.generate._likely import LIKELY, decode_likely, encode_likely
from llmtest.wire.gemini.generate._parts import DIALECT, decode_part, encode_part

__all__ = ["RAW_FINISH", "blocked", "body_of", "decode_body", "decode_usage", "encode_usage", "head_of"]

_FINISH = {
    "STOP": FinishReason.STOP,
    "MAX_TOKENS": FinishReason.LENGTH,
    "SAFETY": FinishReason.CONTENT_FILTER,
    "RECITATION": FinishReason.CONTENT_FILTER,
    "BLOCKLIST": FinishReason.CONTENT_FILTER,
    "PROHIBITED_CONTENT": FinishReason.CONTENT_FILTER,
    "SPII": FinishReason.CONTENT_FILTER,
    "IMAGE_SAFETY": FinishReason.CONTENT_FILTER,
}
RAW_FINISH = {
    FinishReason.STOP: "STOP",
    FinishReason.LENGTH: "MAX_TOKENS",
    FinishReason.TOOL_USE: "STOP",
    FinishReason.CONTENT_FILTER: "SAFETY",
}
"""Gemini's words; a model that refuses stops, and one that calls a function does too."""
_MODELLED = frozenset({"candidates", "usageMetadata", "modelVersion", "responseId"})


def encode_usage(usage: Usage) -> dict[str, Any]:
    """Write usage; thoughts are counted beside the answer, not in it."""
    found: dict[str, Any] = {
        "promptTokenCount": usage.input_tokens,
        "candidatesTokenCount": usage.output_tokens - usage.reasoning_tokens,
        "totalTokenCount": usage.input_tokens + usage.output_tokens,
    }
    if usage.cache_read_tokens:
        found["cachedContentTokenCount"] = usage.cache_read_tokens
    found["promptTokensDetails"] = [{"modality": "TEXT", "tokenCount": usage.input_tokens}]
    if usage.reasoning_tokens:
        found["thoughtsTokenCount"] = usage.reasoning_tokens
    return found


def decode_usage(raw: object) -> Usage:
    """Read usage; without any count, or with an impossible one, it is unknown."""
    if not isinstance(raw, dict) or not is_counted(raw.get("promptTokenCount"), raw.get("totalTokenCount")):
        return UNKNOWN_USAGE
    thoughts = count(raw.get("thoughtsTokenCount"))
    return Usage(
        count(raw.get("promptTokenCount")) + count(raw.get("toolUsePromptTokenCount")),
        count(raw.get("candidatesTokenCount")) + thoughts,
        count(raw.get("cachedContentTokenCount")),
        0,
        thoughts,
    )


def decode_candidate(candidate: Mapping[str, Any]) -> tuple[tuple[ResponsePart, ...], FinishReason | None, str | None]:
    """Read one candidate: its parts, and why it ended."""
    content = candidate.get("content")
    raw_parts = content.get("parts") if isinstance(content, dict) else None
    found = raw_parts if isinstance(raw_parts, list) else []
    parts = tuple(decode_part(part, place) for place, part in enumerate(found))
    if LIKELY in candidate:
        parts = decode_likely(candidate[LIKELY], parts)
    raw = candidate.get("finishReason")
    raw = raw if isinstance(raw, str) else None
    finish = None if raw is None else _FINISH.get(raw, FinishReason.UNKNOWN)
    if finish is FinishReason.STOP and any(isinstance(part, ToolCall) for part in parts):
        finish = FinishReason.TOOL_USE
    return parts, finish, raw


def encode_candidate(response: CompletionResponse, index: int) -> dict[str, Any]:
    """Write one candidate: the one that was read, where it still says the same."""
    raw = response.extra_for(DIALECT).get("candidate") if response.extra else None
    said = (response.parts, response.finish_reason, response.raw_finish_reason)
    if isinstance(raw, dict) and decode_candidate(raw) == said:
        return raw
    found: dict[str, Any] = {}
    parts = [encode_part(part) for part in response.parts]
    if parts or response.finish_reason is not FinishReason.CONTENT_FILTER:
        found["content"] = {"parts": parts, "role": "model"} if parts else {"role": "model"}
    word = _word_of(response)
    if word is not None:
        found["finishReason"] = word
    return {**found, **encode_likely(response.parts), "index": index}


def _word_of(response: CompletionResponse) -> str | None:
    finish, raw = response.finish_reason, response.raw_finish_reason
    if finish is None:
        return None
    known = None if raw is None else _FINISH.get(raw, FinishReason.UNKNOWN)
    if raw is not None and (known is finish or (finish is FinishReason.TOOL_USE and known is FinishReason.STOP)):
        return raw
    return RAW_FINISH.get(finish, "OTHER")


def head_of(response: CompletionResponse, meta: ResponseMeta) -> dict[str, Any]:
    """Return what stands beside candidates and usage."""
    identity = response.id if response.id is not None else _ids.letters(meta.number or 0, 23)
    extra = {name: value for name, value in response.extra_for(DIALECT).items() if name not in ("candidate", "usage")}
    model = response.model if response.model is not None else meta.model
    return {"modelVersion": model, "responseId": identity, **extra}


def usage_of(response: CompletionResponse) -> dict[str, Any] | None:
    """Return the usage to write: the one that was read, where it still says the same."""
    raw = response.extra_for(DIALECT).get("usage") if response.extra else None
    if isinstance(raw, dict) and decode_usage(raw) == response.usage:
        return raw
    return None if response.usage.source == "unknown" else encode_usage(response.usage)


def body_of(response: CompletionResponse, meta: ResponseMeta) -> dict[str, Any]:
    """Write the body of a whole answer."""
    answers = (response, *response.alternatives)
    body: dict[str, Any] = {"candidates": [encode_candidate(each, index) for index, each in enumerate(answers)]}
    usage = usage_of(response)
    if usage is not None:
        body["usageMetadata"] = usage
    return {**body, **head_of(response, meta)}


def blocked(body: Mapping[str, Any], request_id: str | None) -> ContentFilteredError | None:
    """Return the error of a prompt that was blocked; None where it was not."""
    feedback = body.get("promptFeedback")
    reason = feedback.get("blockReason") if isinstance(feedback, dict) else None
    if reason is None or body.get("candidates"):
        return None
    return ContentFilteredError(
        f"the prompt was blocked: {reason}", status=200, request_id=request_id, code=str(reason)
    )


def decode_body(body: Mapping[str, Any], request_id: str | None) -> CompletionResponse:
    """Read the body of a whole answer.

    Raises:
        ContentFilteredError: The prompt was blocked.
        EmptyResponseError: There is no candidate in it.
        InvalidResponseError: `candidates` is no list of objects.
    """
    refused = blocked(body, request_id)
    if refused is not None:
        raise refused
    candidates = body.get("candidates")
    if not candidates:
        raise EmptyResponseError("the answer has no candidates", status=200, request_id=request_id)
    if not isinstance(candidates, list) or not all(isinstance(each, dict) for each in candidates):
        raise InvalidResponseError(
            "`candidates` of the answer is no list of objects", status=200, request_id=request_id
        )
    candidates = sorted(candidates, key=lambda each: count(each.get("index")))
    usage = decode_usage(body.get("usageMetadata"))
    extra = {name: value for name, value in body.items() if name not in _MODELLED}
    if isinstance(body.get("usageMetadata"), dict) and encode_usage(usage) != body["usageMetadata"]:
        extra["usage"] = body["usageMetadata"]
    identity: dict[str, Any] = {
        "model": body.get("modelVersion"),
        "id": body.get("responseId"),
        "request_id": request_id,
    }
    answers = [_answer(each, extra if not place else {}, identity) for place, each in enumerate(candidates)]
    first, *others = answers
    return CompletionResponse(
        parts=first.parts,
        finish_reason=first.finish_reason,
        raw_finish_reason=first.raw_finish_reason,
        usage=usage,
        alternatives=tuple(others),
        extra=first.extra,
        **identity,
    )


def _answer(raw: dict[str, Any], extra: dict[str, Any], identity: Mapping[str, Any]) -> CompletionResponse:
    parts, finish, word = decode_candidate(raw)
    plain = CompletionResponse(parts=parts, finish_reason=finish, raw_finish_reason=word, **identity)
    if encode_candidate(plain, count(raw.get("index"))) != raw:
        extra = {**extra, "candidate": raw}
    return CompletionResponse(
        parts=parts,
        finish_reason=finish,
        raw_finish_reason=word,
        extra={DIALECT: extra} if extra else {},
        **identity,
    )
