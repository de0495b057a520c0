"""What Converse answers, between JSON and types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmtest.errors import EmptyResponseError
from llmtest.types import UNKNOWN_USAGE, CompletionResponse, FinishReason, Usage
from llmtest.wire._json import count, is_counted
from llmtest.wire._records import ResponseMeta
from llmtest.wire.bedrock.converse._blocks import NAME, decode_blocks, encode_blocks

__all__ = ["FINISH", "answer_body", "decode_body", "decode_usage", "stop_word"]

FINISH = {
    "end_turn": FinishReason.STOP,
    "stop_sequence": FinishReason.STOP,
    "max_tokens": FinishReason.LENGTH,
    "model_context_window_exceeded": FinishReason.LENGTH,
    "tool_use": FinishReason.TOOL_USE,
    "content_filtered": FinishReason.CONTENT_FILTER,
    "guardrail_intervened": FinishReason.CONTENT_FILTER,
}
_WORDS = {reason: word for word, reason in reversed(FINISH.items())}
_READ = frozenset({"output", "stopReason", "usage", "metrics", "serviceTier"})


def stop_word(response: CompletionResponse) -> str:
    """Return Amazon's word for why an answer ended."""
    word = response.raw_finish_reason
    if word is not None and FINISH.get(word, FinishReason.UNKNOWN) is response.finish_reason:
        return word
    return _WORDS.get(response.finish_reason or FinishReason.STOP, "content_filtered")


def encode_usage(usage: Usage) -> dict[str, Any]:
    """Write usage: tokens of the input are those that came from no cache and went into none."""
    found: dict[str, Any] = {
        "inputTokens": max(0, usage.input_tokens - usage.cache_read_tokens - usage.cache_write_tokens),
        "outputTokens": usage.output_tokens,
        "totalTokens": usage.total_tokens,
        "cacheReadInputTokens": usage.cache_read_tokens,
        "cacheWriteInputTokens": usage.cache_write_tokens,
    }
    if usage.cache_write_1h_tokens:
        rest = usage.cache_write_tokens - usage.cache_write_1h_tokens
        details = (("5m", rest), ("1h", usage.cache_write_1h_tokens))
        found["cacheDetails"] = [{"ttl": ttl, "inputTokens": tokens} for ttl, tokens in details if tokens]
    return found


def decode_usage(raw: object) -> Usage:
    """Read usage, its three kinds of input added up. Without any count it is unknown."""
    if not isinstance(raw, dict) or not is_counted(raw.get("inputTokens"), raw.get("outputTokens")):
        return UNKNOWN_USAGE
    read, written = count(raw.get("cacheReadInputTokens")), count(raw.get("cacheWriteInputTokens"))
    details = raw.get("cacheDetails")
    told = [each for each in details if isinstance(each, dict)] if isinstance(details, list) else []
    hour = sum(count(each.get("inputTokens")) for each in told if each.get("ttl") == "1h")
    return Usage(
        count(raw.get("inputTokens")) + read + written,
        count(raw.get("outputTokens")),
        read,
        written,
        cache_write_1h_tokens=min(hour, written),
    )


def tail(response: CompletionResponse, meta: ResponseMeta) -> dict[str, Any]:
    """Write what surrounds an answer: usage, times, tier."""
    found: dict[str, Any] = {}
    if response.usage.source != "unknown":
        found["usage"] = encode_usage(response.usage)
    found["metrics"] = {"latencyMs": meta.processing_ms or 0}
    if response.service_tier is not None:
        found["serviceTier"] = {"type": response.service_tier}
    return found


def answer_body(response: CompletionResponse, meta: ResponseMeta) -> dict[str, Any]:
    """Write the body of an answer."""
    message = {"role": "assistant", "content": encode_blocks(response.parts)}
    return {
        "output": {"message": message},
        "stopReason": stop_word(response),
        **tail(response, meta),
        **response.extra_for(NAME),
    }


def decode_body(body: Mapping[str, Any], request_id: str | None) -> CompletionResponse:
    """Read the body of an answer.

    Raises:
        EmptyResponseError: There is no message in it.
    """
    output = body.get("output")
    message = output.get("message") if isinstance(output, dict) else None
    content = message.get("content") if isinstance(message, dict) else None
    if not isinstance(content, list):
        raise EmptyResponseError("the answer has no message", status=200, request_id=request_id)
    word, tier = body.get("stopReason"), body.get("serviceTier")
    extra = {name: value for name, value in body.items() if name not in _READ}
    return CompletionResponse(
        parts=decode_blocks(content),
        finish_reason=FINISH.get(word, FinishReason.UNKNOWN) if isinstance(word, str) else None,
        raw_finish_reason=word if isinstance(word, str) else None,
        usage=decode_usage(body.get("usage")),
        request_id=request_id,
        service_tier=tier.get("type") if isinstance(tier, dict) else None,
        extra={NAME: extra} if extra else {},
    )
