"""Chat Completions as Azure answers them: with what its content filter found, and every key in alphabetical order."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from llmtest.types import CompletionResponse, FinishReason
from llmtest.wire._json import dump_text, dumps
from llmtest.wire._records import ResponseMeta, WireCall
from llmtest.wire.azure._filter_results import BLOCKED_TEXT, SAFE_PROMPT, SAFE_TEXT
from llmtest.wire.openai._bodies import NAME
from llmtest.wire.openai.chat import _response, _stream_writer
from llmtest.wire.openai.chat._answer_in_kind import in_kind

__all__ = ["encode_answer", "encode_stream"]

_PROMPT = [{"prompt_index": 0, "content_filter_results": SAFE_PROMPT}]
_OPEN = b'"finish_reason":null}]'
_SAFE_PIECE = f'"finish_reason":null,"content_filter_results":{dump_text(SAFE_TEXT)}}}]'.encode()
_FIRST_PIECE = b'"finish_reason":null,"content_filter_results":{}}]'
_LAST = re.compile(rb'"finish_reason":"(\w+)"\}\]')
_BLOCKED_END = f'"finish_reason":"content_filter","content_filter_results":{dump_text(BLOCKED_TEXT)}}}]'.encode()
"""Ends of choices in a stream, as they are written without and with a verdict; quotes of texts are escaped there."""


def encode_answer(response: CompletionResponse, call: WireCall, meta: ResponseMeta) -> bytes:
    """Write a complete answer; what was read from Azure says again what it said."""
    if call.shaping:
        response = in_kind(response, call.shaping)
    body = _response.encode_body(response, meta, is_openai=False)
    body["choices"] = [
        _judged(choice, answer) for choice, answer in zip(body["choices"], _answers(response), strict=True)
    ]
    if "created" not in response.extra_for(NAME):
        body = {"prompt_filter_results": _PROMPT, "system_fingerprint": _response.SYSTEM_FINGERPRINT, **body}
    return dumps(dict(sorted(body.items())))


def _answers(response: CompletionResponse) -> tuple[CompletionResponse, ...]:
    return (response, *response.alternatives)


def _is_read(response: CompletionResponse) -> bool:
    """Whether a choice is said again as it was read."""
    return "choices" in response.extra_for(NAME)


def _judged(choice: Mapping[str, Any], answer: CompletionResponse) -> dict[str, Any]:
    """Return a choice with what the filter says of it; one that it stopped has no message where nothing was said."""
    if _is_read(answer):
        return dict(choice)
    stopped = answer.finish_reason is FinishReason.CONTENT_FILTER
    judged = {"content_filter_results": BLOCKED_TEXT if stopped else SAFE_TEXT, **choice}
    if stopped and not answer.parts:
        del judged["message"]
    return dict(sorted(judged.items()))


def encode_stream(
    response: CompletionResponse, call: WireCall, meta: ResponseMeta, chunks: Sequence[str] | None
) -> list[bytes]:
    """Write a streamed answer: before it a chunk without choices tells of the prompt, and every piece is judged."""
    known = response.extra_for(NAME)
    prompt = known.get("prompt_filter_results", None if "created" in known else _PROMPT)
    if "prompt_filter_results" in known:
        rest = {name: value for name, value in known.items() if name != "prompt_filter_results"}
        response = replace(response, extra={**response.extra, NAME: rest})
    found = _stream_writer.encode_stream(response, call, meta, chunks)
    if prompt is None:
        return found
    head = {"choices": [], "created": 0, "id": "", "model": "", "object": "", "prompt_filter_results": prompt}
    first, *pieces = found
    judged = [_LAST.sub(_last, event, 1).replace(_OPEN, _SAFE_PIECE) for event in pieces]
    return [f"data: {dump_text(head)}\n\n".encode(), first.replace(_OPEN, _FIRST_PIECE), *judged]


def _last(found: re.Match[bytes]) -> bytes:
    return _BLOCKED_END if found[1] == b"content_filter" else found[0][:-2] + b',"content_filter_results":{}}]'
