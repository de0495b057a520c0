"""What is answered in the first version, between JSON and types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from llmtest.errors import EmptyResponseError, SimulationStateError
from llmtest.types import (
    Citation,
    CompletionRequest,
    CompletionResponse,
    FinishReason,
    ResponsePart,
    TextPart,
    ToolCall,
)
from llmtest.wire import _ids
from llmtest.wire._json import loads
from llmtest.wire._records import ResponseMeta, WireCall
from llmtest.wire.cohere._answer import FINISH, decode_usage, encode_usage
from llmtest.wire.cohere._request import NAME
from llmtest.wire.cohere.v1._request import SPOKEN, decode_calls

__all__ = ["VERSION", "answer_body", "decode_body"]

VERSION = {"version": "1"}
_READ = frozenset({"text", "response_id", "finish_reason", "tool_calls"})


def answer_body(response: CompletionResponse, call: WireCall, meta: ResponseMeta) -> dict[str, Any]:
    """Write the body of an answer; a call of a tool ends it as everything else does. What was read is said again.

    Raises:
        SimulationStateError: It holds what this version has no word for.
    """
    other = next((part for part in response.parts if not isinstance(part, TextPart | ToolCall)), None)
    if other is not None:
        raise SimulationStateError(
            f"Cohere's first version has no word for a {type(other).__name__}.\n"
            "To fix: leave it out of the script, or have the code call the second version: POST /v2/chat"
        )
    texts = [part for part in response.parts if isinstance(part, TextPart)]
    calls = [part for part in response.parts if isinstance(part, ToolCall)]
    kept = dict(response.extra_for(NAME))
    told = kept.pop("meta", None)
    if not isinstance(told, dict) or decode_usage(told) != response.usage:
        told = _meta(response)
    body: dict[str, Any] = {
        "response_id": response.id if response.id is not None else meta.id,
        "text": "".join(part.text for part in texts),
        "generation_id": _ids.uuid((meta.number or 0) + 1),
        "chat_history": _history(call, texts, calls),
        "finish_reason": _word(response),
        "meta": told,
    }
    citations = [_cited(part.text, each) for part in texts for each in part.citations]
    if citations:
        body["citations"] = citations
    if calls:
        body["tool_calls"] = [{"name": call.name, "parameters": _parameters(call)} for call in calls]
    return {**body, **kept}


def _meta(response: CompletionResponse) -> dict[str, Any]:
    usage = {} if response.usage.source == "unknown" else encode_usage(response.usage)
    return {"api_version": VERSION, **usage}


def _history(call: WireCall, texts: Sequence[TextPart], calls: Sequence[ToolCall]) -> list[dict[str, Any]]:
    """Write the conversation as it has become."""
    request = call.request
    said = request.messages if isinstance(request, CompletionRequest) else ()
    found: list[dict[str, Any]] = [
        {"role": SPOKEN[each.role], "message": each.text} for each in said if each.role in {"user", "assistant"}
    ]
    own = {"tool_calls": [{"name": each.name, "parameters": _parameters(each)} for each in calls]} if calls else {}
    return [*found, {"role": SPOKEN["assistant"], "message": "".join(part.text for part in texts), **own}]


def _word(response: CompletionResponse) -> str:
    reason = response.finish_reason or FinishReason.STOP
    word = response.raw_finish_reason
    if word is not None and FINISH.get(word) is reason and reason is not FinishReason.TOOL_USE:
        return word
    words = {FinishReason.STOP: "COMPLETE", FinishReason.TOOL_USE: "COMPLETE", FinishReason.LENGTH: "MAX_TOKENS"}
    return words.get(reason, "ERROR_TOXIC")


def _parameters(call: ToolCall) -> Any:
    try:
        given = loads(call.arguments or "{}")
    except ValueError:
        return {}
    return given if isinstance(given, dict) else {}


def _cited(text: str, each: Citation) -> dict[str, Any]:
    start, end = each.start or 0, len(text) if each.end is None else each.end
    return {"start": start, "end": end, "text": text[start:end], "document_ids": [each.file_id or "doc_0"]}


def decode_body(body: Mapping[str, Any], request_id: str | None) -> CompletionResponse:
    """Read the body of an answer.

    Raises:
        EmptyResponseError: There is no text in it.
    """
    text = body.get("text")
    if not isinstance(text, str):
        raise EmptyResponseError("the answer has no text", status=200, request_id=request_id)
    calls = decode_calls(body.get("tool_calls"))
    raw = body.get("citations")
    citations = tuple(
        Citation(start=each.get("start"), end=each.get("end"), file_id=next(iter(each.get("document_ids") or ()), None))
        for each in (raw if isinstance(raw, list) else ())
        if isinstance(each, dict)
    )
    parts: tuple[ResponsePart, ...] = (TextPart(text, citations), *calls) if text or not calls else calls
    word = body.get("finish_reason")
    reason = FINISH.get(word, FinishReason.UNKNOWN) if isinstance(word, str) else None
    if calls and reason is FinishReason.STOP:
        reason = FinishReason.TOOL_USE
    extra = {name: value for name, value in body.items() if name not in _READ}
    if isinstance(raw, list) and [_cited(text, each) for each in citations] == raw:
        del extra["citations"]
    return CompletionResponse(
        parts=parts,
        finish_reason=reason,
        raw_finish_reason=word if isinstance(word, str) else None,
        usage=decode_usage(body.get("meta")),
        id=body.get("response_id"),
        request_id=request_id,
        extra={NAME: extra} if extra else {},
    )
