"""Ollama's answer: the message, why it ended and how long it took, between JSON and types."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from llmtest.errors import EmptyResponseError
from llmtest.types import UNKNOWN_USAGE, CompletionResponse, FinishReason, TextPart, ToolCall, Usage
from llmtest.wire._json import count, is_counted
from llmtest.wire._logprobs import with_logprobs
from llmtest.wire._records import ResponseMeta, WireCall
from llmtest.wire.ollama.native._messages import parts_of
from llmtest.wire.ollama.native._parts import DIALECT, decode_call, encode_call, said
from llmtest.wire.openai.chat._logprobs import decode_logprobs, encode_logprobs

__all__ = ["as_asked", "body_of", "created_at", "decode_body", "message_in"]

_FINISH = {"stop": FinishReason.STOP, "length": FinishReason.LENGTH}
_WORDS = {FinishReason.LENGTH: "length", FinishReason.CONTENT_FILTER: "content_filter", FinishReason.UNKNOWN: "unknown"}
"""Ollama has two words; a model that calls a tool or refuses stops."""
_COUNTED = frozenset({"prompt_eval_count", "eval_count"})
_HEAD = frozenset({"model", "message", "response", "thinking", "done", "done_reason", "logprobs", "tool_calls"})
LOAD_NS = 1_000_000
READ_NS, WRITE_NS = 200_000, 10_000_000
"""What a token of the prompt and of the answer are said to take: from such times programs work out tokens a second."""


def created_at(meta: ResponseMeta) -> str:
    """Write the time of an answer as Go does."""
    return datetime.fromtimestamp(meta.created_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def as_asked(response: CompletionResponse, call: WireCall) -> CompletionResponse:
    """Return an answer with log probabilities where the request wants them."""
    if not call.shaping.get("logprobs"):
        return response
    return with_logprobs(response, count(call.shaping.get("top_logprobs")))


def message_in(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the message of an answer; a prompt's is spread over its body."""
    message = body.get("message")
    if isinstance(message, dict):
        return message
    told = {"content": body.get("response"), "thinking": body.get("thinking"), "tool_calls": body.get("tool_calls")}
    return {name: value for name, value in told.items() if value is not None}


def body_of(response: CompletionResponse, meta: ResponseMeta, *, is_prompt: bool) -> dict[str, Any]:
    """Write a whole answer: the fields that were read, where they still say the same.

    Args:
        response: What is answered.
        meta: What surrounds it.
        is_prompt: Whether `/api/generate` was asked, whose answer has no message.
    """
    extra = dict(response.extra_for(DIALECT)) if response.extra else {}
    usage = response.usage
    message: dict[str, Any] = {"role": "assistant", **said(response.parts, "assistant")}
    calls = [part for part in response.parts if isinstance(part, ToolCall)]
    if calls:
        message["tool_calls"] = [encode_call(each, place) for place, each in enumerate(calls)]
    raw = extra.pop("message", None)
    if isinstance(raw, dict) and _said_in({"message": raw}) == _said_in({"message": message}):
        message = raw
    body: dict[str, Any] = {"model": response.model if response.model is not None else meta.model}
    body["created_at"] = extra.pop("created_at", None) or created_at(meta)
    if is_prompt:
        body["response"] = message["content"]
        body.update((name, message[name]) for name in ("thinking", "tool_calls") if name in message)
    else:
        body["message"] = message
    tokens = [token for part in response.parts if isinstance(part, TextPart) for token in part.logprobs]
    if tokens:
        body["logprobs"] = (encode_logprobs(tokens) or {})["content"]
    body["done"] = response.finish_reason is not None
    word = _word_of(response)
    if word is not None:
        body["done_reason"] = word
    if usage.source != "unknown" and not extra.keys() & _COUNTED:
        told = _metrics(usage) if "total_duration" not in extra else _counts(usage)
        # Go leaves out what is zero: a prompt that was read before has no count.
        body.update((name, value) for name, value in told.items() if value)
    return {**body, **extra}


def _counts(usage: Usage) -> dict[str, int]:
    return {"prompt_eval_count": usage.input_tokens, "eval_count": usage.output_tokens}


def _metrics(usage: Usage) -> dict[str, int]:
    reading, writing = usage.input_tokens * READ_NS, usage.output_tokens * WRITE_NS
    return {
        "total_duration": LOAD_NS + reading + writing,
        "load_duration": LOAD_NS,
        "prompt_eval_count": usage.input_tokens,
        "prompt_eval_duration": reading,
        "eval_count": usage.output_tokens,
        "eval_duration": writing,
    }


def _word_of(response: CompletionResponse) -> str | None:
    finish, raw = response.finish_reason, response.raw_finish_reason
    if finish is None or raw == "":
        return None  # Servers of 2024 did not say why.
    if raw is not None and _reason(raw, has_calls=bool(response.tool_calls)) is finish:
        return raw
    return _WORDS.get(finish, "stop")


def _reason(raw: str, *, has_calls: bool) -> FinishReason:
    reason = _FINISH.get(raw, FinishReason.UNKNOWN) if raw else FinishReason.STOP
    return FinishReason.TOOL_USE if reason is FinishReason.STOP and has_calls else reason


def _said_in(body: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return the parts of an answer in the order thoughts, text, pictures, calls."""
    message = message_in(body)
    calls = message.get("tool_calls")
    found = [decode_call(each, place) for place, each in enumerate(calls or (), 1)] if isinstance(calls, list) else []
    return (*parts_of(message), *found)


def decode_body(body: Mapping[str, Any], request_id: str | None) -> CompletionResponse:
    """Read a whole answer, or the lines of a stream put together.

    Raises:
        EmptyResponseError: There is no message in it.
    """
    if "message" not in body and "response" not in body:
        raise EmptyResponseError("the answer has no message", status=200, request_id=request_id)
    tokens = decode_logprobs({"content": body.get("logprobs")})
    parts = tuple(
        TextPart(part.text, logprobs=tokens) if tokens and isinstance(part, TextPart) else part
        for part in _said_in(body)
    )
    finish, word = None, None
    if body.get("done") is True:
        word = body.get("done_reason") if isinstance(body.get("done_reason"), str) else ""
        finish = _reason(word or "", has_calls=any(isinstance(part, ToolCall) for part in parts))
    has_counts = is_counted(body.get("prompt_eval_count"), body.get("eval_count"))
    usage = Usage(count(body.get("prompt_eval_count")), count(body.get("eval_count"))) if has_counts else UNKNOWN_USAGE
    model = body.get("model")
    plain = CompletionResponse(
        parts=parts,
        finish_reason=finish,
        raw_finish_reason=word,
        usage=usage,
        model=model if isinstance(model, str) else None,
        request_id=request_id,
    )
    again = body_of(plain, ResponseMeta(), is_prompt="message" not in body)
    extra = {name: value for name, value in body.items() if name not in _HEAD and again.get(name) != value}
    if isinstance(body.get("message"), dict) and again["message"] != body["message"]:
        extra["message"] = body["message"]
    return CompletionResponse(
        parts=parts,
        finish_reason=finish,
        raw_finish_reason=word,
        usage=usage,
        model=plain.model,
        request_id=request_id,
        extra={DIALECT: extra} if extra else {},
    )
