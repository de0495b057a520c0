"""Responses as Azure answers them: with what its content filter found, of the prompt and of what was said.

The verdicts are in `content_filters` of a response, also of the one that the last event of a stream tells. Members of a
verdict as Foundry was recorded to tell them in 2026: `blocked`, `source_type` (`prompt` or `completion`),
`content_filter_raw`, `content_filter_results`, `content_filter_offsets`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from llmtest.types import CompletionResponse, FinishReason
from llmtest.wire._json import dump_text, dumps, loads
from llmtest.wire._records import ResponseMeta, WireCall
from llmtest.wire.azure._filter_results import BLOCKED_TEXT, SAFE_PROMPT, SAFE_TEXT
from llmtest.wire.openai._responses import RESPONSES

__all__ = ["encode_answer", "encode_stream"]

FIELD = "content_filters"
_LAST = tuple(b"event: response." + name for name in (b"completed", b"incomplete", b"failed"))
"""Starts of the events that tell the whole response at its end."""


def encode_answer(response: CompletionResponse, call: WireCall, meta: ResponseMeta) -> bytes:
    """Write a complete answer; what was read from Azure says again what it said."""
    body = loads(RESPONSES.encode_answer(response, call, meta))
    return dumps(_judged(body, response, call))


def encode_stream(
    response: CompletionResponse, call: WireCall, meta: ResponseMeta, chunks: Sequence[str] | None
) -> list[bytes]:
    """Write a streamed answer, whose last event tells the verdict."""
    events = RESPONSES.encode_stream(response, call, meta, chunks)
    return [_with_verdict(event, response, call) if event.startswith(_LAST) else event for event in events]


def _with_verdict(event: bytes, response: CompletionResponse, call: WireCall) -> bytes:
    head, _, data = event.partition(b"data: ")
    told = loads(data.strip())
    told["response"] = _judged(told["response"], response, call)
    return head + f"data: {dump_text(told)}\n\n".encode()


def _judged(body: Mapping[str, Any], response: CompletionResponse, call: WireCall) -> dict[str, Any]:
    if FIELD in body:
        return dict(body)
    stopped = response.finish_reason is FinishReason.CONTENT_FILTER
    said = len(response.content or "")
    verdicts = [_verdict("prompt", SAFE_PROMPT, _length(call))]
    if body.get("output"):
        verdicts.append(_verdict("completion", BLOCKED_TEXT if stopped else SAFE_TEXT, said, blocked=stopped))
    return {**body, FIELD: verdicts}


def _verdict(source: str, results: Mapping[str, Any], size: int, *, blocked: bool = False) -> dict[str, Any]:
    offsets = {"start_offset": 0, "end_offset": size, "check_offset": 0}
    return {
        "blocked": blocked,
        "source_type": source,
        "content_filter_raw": [],
        "content_filter_results": results,
        "content_filter_offsets": offsets,
    }


def _length(call: WireCall) -> int:
    """Return how many characters a prompt has, as far as it is text."""
    messages = getattr(call.request, "messages", ())
    return sum(len(message.text) for message in messages)
