"""OpenAI chat completions: the complete answer, between JSON and types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from llmtest.errors import EmptyResponseError, InvalidResponseError
from llmtest.types import (
    CompletionResponse,
    FilePart,
    FinishReason,
    OpaquePart,
    RefusalPart,
    ResponsePart,
    TextPart,
    ThinkingPart,
    TokenLogprob,
    ToolCall,
    Usage,
)
from llmtest.wire._json import count, dump_text, dumps
from llmtest.wire._records import NO_FIELDS, ResponseMeta
from llmtest.wire.openai.chat._answer_in_kind import in_kind
from llmtest.wire.openai.chat._logprobs import decode_logprobs, encode_logprobs
from llmtest.wire.openai.chat._media import decode_citations, decode_media, encode_citations, encode_media
from llmtest.wire.openai.chat._parts import (
    DIALECT,
    argument_text,
    decode_part,
    decode_tool_call,
    encode_part,
    encode_tool_call,
    is_call,
)
from llmtest.wire.openai.chat._usage import decode_usage, encode_usage

FINISH = {
    "stop": FinishReason.STOP,
    "length": FinishReason.LENGTH,
    "tool_calls": FinishReason.TOOL_USE,
    "function_call": FinishReason.TOOL_USE,
    "content_filter": FinishReason.CONTENT_FILTER,
    "eos": FinishReason.STOP,
    "model_length": FinishReason.LENGTH,
}
RAW_FINISH = {
    FinishReason.STOP: "stop",
    FinishReason.LENGTH: "length",
    FinishReason.TOOL_USE: "tool_calls",
    FinishReason.CONTENT_FILTER: "content_filter",
    FinishReason.REFUSAL: "stop",
}
"""OpenAI's words; it has none for a reason that nobody knows."""
SYSTEM_FINGERPRINT = "fp_llmtest"
REASONING_FIELDS = ("reasoning_content", "reasoning")
_MODELLED = frozenset({"id", "object", "model", "choices", "usage", "service_tier"})
_KEPT = frozenset({"choices", "usage"})

Choice = tuple[tuple[ResponsePart, ...], FinishReason | None, str | None]


def usage_body(response: CompletionResponse) -> dict[str, Any] | None:
    """Return the usage to write: the one that was read, where it still says the same."""
    raw = response.extra_for(DIALECT).get("usage") if response.extra else None
    if isinstance(raw, dict) and decode_usage(raw) == response.usage:
        return raw
    return None if response.usage.source == "unknown" else encode_usage(response.usage)


def is_called(legacy: Mapping[str, Any]) -> bool:
    """Tell whether a `function_call` calls anything: some servers write an empty one beside every text."""
    return bool(legacy.get("name") or legacy.get("arguments"))


def decode_choice(choice: Mapping[str, Any]) -> Choice:
    """Read one choice: its parts in the order thinking, text, refusal, tool calls; and why it ended."""
    message = choice.get("message")
    message = message if isinstance(message, dict) else {}
    parts: list[ResponsePart] = []
    logprobs = choice.get("logprobs")
    tokens = decode_logprobs(logprobs) if logprobs else ()
    for name in REASONING_FIELDS:
        thinking = message.get(name)
        if isinstance(thinking, str) and thinking:
            parts.append(ThinkingPart(thinking))
            break
    content = message.get("content")
    if isinstance(content, str):
        annotations = message.get("annotations")
        parts.append(TextPart(content, decode_citations(annotations) if annotations else (), tokens))
    elif isinstance(content, list):
        parts += (decode_part(block) if thought_in(block) is None else _thought(block) for block in content)
    refusal = message.get("refusal")
    if isinstance(refusal, str) and refusal:
        parts.append(RefusalPart(refusal))
    parts += decode_media(message)
    legacy = message.get("function_call")
    if isinstance(legacy, dict) and is_called(legacy):
        parts.append(ToolCall("", legacy.get("name") or "", argument_text(legacy.get("arguments"))))
    tool_calls = message.get("tool_calls")
    if isinstance(tool_calls, list):
        parts += (decode_tool_call(call) for call in tool_calls)
    raw = choice.get("finish_reason")
    raw = raw if isinstance(raw, str) else None
    finish = None if raw is None else FINISH.get(raw, FinishReason.UNKNOWN)
    if finish is FinishReason.STOP and refusal:
        finish = FinishReason.REFUSAL
    return tuple(parts), finish, raw


def thought_in(block: object) -> str | None:
    """Return the thoughts of a part of a content, as Mistral's API tells them; None where it is no such part."""
    pieces = block.get("thinking") if isinstance(block, dict) and block.get("type") == "thinking" else None
    if not isinstance(pieces, list):
        return None
    texts = [piece.get("text") for piece in pieces if isinstance(piece, dict)]
    return "".join(text for text in texts if isinstance(text, str))


def _thought(block: Mapping[str, Any]) -> ThinkingPart:
    signature = block.get("signature")
    return ThinkingPart(thought_in(block) or "", signature if isinstance(signature, str) else None)


def encode_message(parts: Sequence[ResponsePart], raw_finish: str | None) -> dict[str, Any]:
    """Write the message of a choice."""
    if len(parts) == 1 and type(parts[0]) is TextPart and not parts[0].citations:
        return {"role": "assistant", "content": parts[0].text, "refusal": None, "annotations": []}
    texts = [part.text for part in parts if isinstance(part, TextPart)]
    refusals = [part.text for part in parts if isinstance(part, RefusalPart)]
    thoughts = [part.text for part in parts if isinstance(part, ThinkingPart) and not part.redacted]
    blocks = [part for part in parts if isinstance(part, OpaquePart | FilePart) and not is_call(part)]
    calls = [part for part in parts if is_call(part)]
    content: Any = "".join(texts) if texts else None
    if blocks:
        content = [encode_part(part) for part in parts if isinstance(part, TextPart) or part in blocks]
    message: dict[str, Any] = {
        "role": "assistant",
        "content": content,
        "refusal": "".join(refusals) if refusals else None,
        "annotations": encode_citations(parts),
    }
    encode_media(parts, message)
    if thoughts:
        message["reasoning_content"] = "".join(thoughts)
    if raw_finish == "function_call" and len(calls) == 1 and isinstance(calls[0], ToolCall):
        message["function_call"] = {"name": calls[0].name, "arguments": calls[0].arguments}
    elif calls:
        message["tool_calls"] = [encode_tool_call(part) for part in calls]  # type: ignore[arg-type]  # is_call saw to it
    return message


def raw_finish_of(response: CompletionResponse) -> str | None:
    """Return the provider's word for the finish reason: its own, where it still fits."""
    finish, raw = response.finish_reason, response.raw_finish_reason
    if finish is None:
        return None
    if raw is not None:
        known = FINISH.get(raw, FinishReason.UNKNOWN)
        if known is finish or (finish is FinishReason.REFUSAL and known is FinishReason.STOP):
            return raw
    return RAW_FINISH.get(finish, str(finish))


def choice_body(response: CompletionResponse, index: int) -> dict[str, Any]:
    """Return the choice to write: the one that was read, where it still says the same."""
    raw = response.extra_for(DIALECT).get("choices") if response.extra else None
    if isinstance(raw, dict) and decode_choice(raw) == (
        response.parts,
        response.finish_reason,
        response.raw_finish_reason,
    ):
        return raw
    raw_finish = raw_finish_of(response)
    parts = response.parts
    if response.finish_reason is FinishReason.REFUSAL:
        parts = _as_refusal(parts)
    return {
        "index": index,
        # The form of 2023 stays when the request named the function, and the answer therefore ends with `stop`.
        "message": encode_message(parts, response.raw_finish_reason if raw_finish == "stop" else raw_finish),
        "logprobs": encode_logprobs(_tokens_of(parts)),
        "finish_reason": raw_finish,
    }


def _as_refusal(parts: tuple[ResponsePart, ...]) -> tuple[ResponsePart, ...]:
    """Return the parts of a refused answer: what is said is the refusal, which OpenAI keeps apart from the text."""
    if any(isinstance(part, RefusalPart) for part in parts):
        return parts
    return tuple(RefusalPart(part.text) if isinstance(part, TextPart) else part for part in parts)


def _tokens_of(parts: Sequence[ResponsePart]) -> list[TokenLogprob]:
    return [token for part in parts if isinstance(part, TextPart) for token in part.logprobs]


def head_fields(response: CompletionResponse, meta: ResponseMeta, *, is_openai: bool = True) -> dict[str, Any]:
    """Return the body's fields beside choices and usage, as the answer was read or as OpenAI would have it.

    Args:
        response: What is answered.
        meta: What surrounds it.
        is_openai: Whether OpenAI itself answers, which tells more than servers that speak like it.
    """
    extra = {name: value for name, value in response.extra_for(DIALECT).items() if name not in _KEPT}
    if "created" not in extra:
        own = {"service_tier": "default", "system_fingerprint": SYSTEM_FINGERPRINT} if is_openai else {}
        extra = {"created": meta.created_s, **own, **extra}
    if response.service_tier is not None:
        extra["service_tier"] = response.service_tier
    return extra


def encode_body(response: CompletionResponse, meta: ResponseMeta, *, is_openai: bool = True) -> dict[str, Any]:
    """Write the body of a complete answer; `head_fields` has the arguments."""
    extra = head_fields(response, meta, is_openai=is_openai)
    choices = [choice_body(response, 0)]
    choices += (choice_body(other, index) for index, other in enumerate(response.alternatives, 1))
    body: dict[str, Any] = {
        "id": response.id if response.id is not None else meta.id,
        "object": "chat.completion",
        "created": extra.pop("created"),
        "model": response.model if response.model is not None else meta.model,
        "choices": choices,
    }
    usage = usage_body(response)
    if usage is not None:
        body["usage"] = usage
    body.update(extra)
    return body


def is_plain(response: CompletionResponse) -> bool:
    """Tell whether nothing of an answer but its id differs from one request to the next, and all of it can be kept."""
    return not (response.extra or response.alternatives or response.service_tier) and OpaquePart not in map(
        type, response.parts
    )


def encode_bytes(
    response: CompletionResponse,
    meta: ResponseMeta,
    wanted: Mapping[str, Any] = NO_FIELDS,
    *,
    is_openai: bool = True,
) -> bytes:
    """Write a complete answer; what does not change from one request to the next is written once.

    Args:
        response: What is answered.
        meta: What surrounds it.
        wanted: What `shaping` found in the request.
        is_openai: Whether OpenAI itself answers.
    """
    if wanted:
        response = in_kind(response, wanted)
    if not is_plain(response):
        return dumps(encode_body(response, meta, is_openai=is_openai))
    model = meta.model if response.model is None else response.model
    tail = _tail(response.parts, response.finish_reason, response.raw_finish_reason, response.usage, model, is_openai)
    identity = dump_text(meta.id if response.id is None else response.id)
    return f'{{"id":{identity},"object":"chat.completion","created":{meta.created_s},'.encode() + tail


@lru_cache(maxsize=256)
def _tail(
    parts: tuple[ResponsePart, ...],
    finish_reason: FinishReason | None,
    raw_finish_reason: str | None,
    usage: Usage,
    model: str | None,
    is_openai: bool,
) -> bytes:
    """Write everything after `created`."""
    response = CompletionResponse(
        parts=parts, finish_reason=finish_reason, raw_finish_reason=raw_finish_reason, usage=usage, model=model
    )
    body = encode_body(response, ResponseMeta(), is_openai=is_openai)
    for name in ("id", "object", "created"):
        del body[name]
    return dumps(body)[1:]


def decode_body(body: Mapping[str, Any], request_id: str | None) -> CompletionResponse:
    """Read the body of a complete answer.

    Raises:
        EmptyResponseError: There is no choice in it.
        InvalidResponseError: `choices` is no list of objects.
    """
    choices = body.get("choices")
    if not choices:
        raise EmptyResponseError("the answer has no choices", status=200, request_id=request_id)
    if not isinstance(choices, list) or not all(isinstance(choice, dict) for choice in choices):
        raise InvalidResponseError("`choices` of the answer is no list of objects", status=200, request_id=request_id)
    choices = sorted(choices, key=lambda choice: count(choice.get("index")))
    usage = decode_usage(body.get("usage"))
    extra = {name: value for name, value in body.items() if name not in _MODELLED}
    if isinstance(body.get("usage"), dict) and encode_usage(usage) != body["usage"]:
        extra["usage"] = body["usage"]
    answers = [_decode_answer(choice, index) for index, choice in enumerate(choices)]
    tier = body.get("service_tier")
    identity: dict[str, Any] = {"model": body.get("model"), "id": body.get("id"), "request_id": request_id}
    parts, finish, raw, more = answers[0]
    return CompletionResponse(
        parts=parts,
        finish_reason=finish,
        raw_finish_reason=raw,
        usage=usage,
        alternatives=tuple(
            CompletionResponse(parts=parts, finish_reason=finish, raw_finish_reason=raw, extra=_own(more), **identity)
            for parts, finish, raw, more in answers[1:]
        ),
        extra=_own({**extra, **more}),
        service_tier=tier if isinstance(tier, str) else None,
        **identity,
    )


def _own(extra: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {DIALECT: extra} if extra else {}


def _decode_answer(choice: dict[str, Any], index: int) -> tuple[Any, Any, Any, dict[str, Any]]:
    parts, finish, raw = decode_choice(choice)
    logprobs = encode_logprobs(_tokens_of(parts)) if choice.get("logprobs") else None
    plain = {"index": index, "message": encode_message(parts, raw), "logprobs": logprobs, "finish_reason": raw}
    return parts, finish, raw, {} if plain == choice else {"choices": choice}
