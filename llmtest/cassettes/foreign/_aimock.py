"""The fixtures of CopilotKit's aimock: what a request has to say, and what is answered, whichever API it comes by.

A fixture holds no request. It becomes one of the default dialect, with an answer of that dialect, and with the words of
its `match`, by which replay finds it; a request of another dialect, or for a stream, is answered in its own. The format
is that of `FixtureFile` in aimock's `src/types.ts`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from llmtest.cassettes._entry import Unread
from llmtest.types import (
    ChatMessage,
    CompletionRequest,
    CompletionResponse,
    EmbeddingRequest,
    EmbeddingResponse,
    FinishReason,
    TextPart,
    ThinkingPart,
    ToolCall,
    Usage,
)
from llmtest.wire import Endpoint, ResponseMeta, WireCall, default_dialect

WORDS = {
    "userMessage": "prompt_contains",
    "systemMessage": "system_contains",
    "inputText": "input_contains",
    "toolCallId": "tool_call_id",
    "toolResultContains": "tool_result_contains",
    "toolName": "tool_name",
    "hasToolResult": "has_tool_result",
    "model": "model",
}
"""aimock's words of a `match`, in ours."""
COUNTS = {"turnIndex": "turn", "sequenceIndex": "occurrence"}
"""Those that count, from 0 there and from 1 here."""
PASSED_OVER = {"endpoint", "context"}
"""What says by which way a request comes: here it is told by the words that it has."""

ANY_MODEL = "any-model"
"""Stands in the request of a fixture that takes every model."""
DELAYS = ("recordedTimings", "latency", "chunkSize", "streamingProfile", "replaySpeed", "metadata", "chaos")
"""What a fixture says of time, pieces and faults; an answer here comes at once and whole."""


def is_fixture_file(loaded: Any) -> bool:
    """Tell whether a file is one of aimock's: a list `fixtures` of pairs of `match` and `response`."""
    fixtures = loaded.get("fixtures") if isinstance(loaded, Mapping) else None
    return isinstance(fixtures, list) and all(
        isinstance(each, Mapping) and {"match", "response"} <= {*each} for each in fixtures
    )


def vcrpy_entry(fixture: Mapping[str, Any], number: int) -> Any:
    """Return a fixture as vcrpy would have written it, with what it matches; `Unread` where it says what is not."""
    match, response = fixture["match"], fixture["response"]
    if not isinstance(match, Mapping) or not isinstance(response, Mapping):
        return Unread("a fixture whose `match` or `response` is no mapping")
    embeds = "embedding" in response
    endpoint = _endpoint("embeddings" if embeds else "chat")
    try:
        answer = _answer(response)
    except (TypeError, ValueError) as error:
        return Unread(str(error))
    model = match.get("model")
    request = endpoint.encode_call(_asked(match, model if isinstance(model, str) else ANY_MODEL, embeds=embeds))
    call = WireCall(endpoint, None, model if isinstance(model, str) else ANY_MODEL)
    meta = ResponseMeta(number=number)
    status = 200
    if isinstance(answer, bytes):
        body, status = answer, int(response.get("status") or 500)
    else:
        body = endpoint.encode_answer(answer, call, meta)
    unknown = {f"match.{key}": match[key] for key in match if key not in {*WORDS, *COUNTS, *PASSED_OVER}}
    unknown |= {key: fixture[key] for key in fixture if key not in {"match", "response", *DELAYS}}
    headers = {"content-type": ["application/json"]}
    if status == 429:
        headers["retry-after"] = [str(response.get("retryAfter", 1))]
    base_url = endpoint.dialect.base_url or ""
    uri = f"{base_url.rstrip('/')}/{request.path.lstrip('/')}"
    return {
        "llmtest": {"matches": dict(_words(match))},
        "request": {"method": request.method, "uri": uri, "headers": dict(headers), "body": request.body},
        "response": {"status": {"code": status, "message": ""}, "headers": headers, "body": {"string": body}},
        **unknown,
    }


def _endpoint(operation: str) -> Endpoint:
    return next(each for each in default_dialect().endpoints if each.operation == operation)


def _words(match: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield what a request has to say, in our words."""
    for theirs, ours in WORDS.items():
        if match.get(theirs) is not None:
            yield ours, match[theirs]
    for theirs, ours in COUNTS.items():
        if isinstance(match.get(theirs), int):
            yield ours, match[theirs] + 1


def _asked(match: Mapping[str, Any], model: str, *, embeds: bool) -> CompletionRequest | EmbeddingRequest:
    if embeds:
        return EmbeddingRequest((str(match.get("inputText") or ""),), model)
    system = match.get("systemMessage")
    instructions = [system] if isinstance(system, str) else system if isinstance(system, list) else []
    messages = [ChatMessage.system(str(text)) for text in instructions]
    return CompletionRequest((*messages, ChatMessage.user(str(match.get("userMessage") or ""))), model=model)


def _answer(response: Mapping[str, Any]) -> CompletionResponse | EmbeddingResponse | bytes:
    """Return what is answered; the body where it is an error.

    Raises:
        ValueError: It is an answer of a kind that is not read.
    """
    if isinstance(response.get("error"), Mapping):
        return json.dumps({"error": {"type": None, "param": None, "code": None, **response["error"]}}).encode()
    if isinstance(response.get("embedding"), list):
        return EmbeddingResponse((tuple(float(number) for number in response["embedding"]),))
    blocks = response.get("blocks") or [
        *([{"type": "text", "text": response["content"]}] if response.get("content") is not None else []),
        *({"type": "toolCall", **call} for call in response.get("toolCalls") or ()),
    ]
    if not blocks:
        kinds = ", ".join(f"`{key}`" for key in response) or "nothing"
        raise ValueError(f"a fixture that answers with {kinds} is not read")
    thoughts = response.get("reasoning")
    parts = [ThinkingPart(thoughts)] if isinstance(thoughts, str) and thoughts else []
    called = any(block.get("type") == "toolCall" for block in blocks)
    return CompletionResponse(
        parts=(*parts, *(_part(block, number) for number, block in enumerate(blocks, 1))),
        finish_reason=FINISHES.get(
            str(response.get("finishReason")), FinishReason.TOOL_USE if called else FinishReason.STOP
        ),
        usage=_usage(response.get("usage")),
        model=response.get("model"),
        id=response.get("id"),
    )


FINISHES = {
    "stop": FinishReason.STOP,
    "length": FinishReason.LENGTH,
    "tool_calls": FinishReason.TOOL_USE,
    "content_filter": FinishReason.CONTENT_FILTER,
}


def _part(block: Mapping[str, Any], number: int) -> TextPart | ToolCall:
    if block.get("type") == "toolCall":
        return ToolCall(str(block.get("id") or f"call_{number}"), str(block["name"]), _as_text(block.get("arguments")))
    return TextPart(_as_text(block.get("text")))


def _as_text(value: Any) -> str:
    """Return what a fixture may have as a text or as the value of its JSON."""
    return value if isinstance(value, str) else json.dumps(value if value is not None else {})


def _usage(usage: Any) -> Usage:
    if not isinstance(usage, Mapping):
        return Usage(0, 0)
    sent, said = (
        next((usage[name] for name in names if isinstance(usage.get(name), int)), 0)
        for names in (
            ("prompt_tokens", "input_tokens", "promptTokenCount"),
            ("completion_tokens", "output_tokens", "candidatesTokenCount"),
        )
    )
    return Usage(sent, said)
