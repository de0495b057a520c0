"""The streamed answer, written as typed events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from llmtest.types import CompletionResponse
from llmtest.wire._json import dump_string, dump_text
from llmtest.wire._records import ResponseMeta, WireCall
from llmtest.wire.framing._sse import frame
from llmtest.wire.framing._words import words
from llmtest.wire.openai.chat._logprobs import by_piece
from llmtest.wire.openai.responses._response import body_of

__all__ = ["encode_stream"]

_PADDING = "lOokrPj8RO6ZX2YdbtW7mVq1nTcK5gHs9AeUfJvB3xDpLwiFhMyEaNzQuSGrCI40"


class _Writer:
    """Writes numbered events; every piece of text is padded against being guessed by its length."""

    def __init__(self, *, obfuscate: bool) -> None:
        self.found: list[bytes] = []
        self._obfuscate = obfuscate

    def event(self, kind: str, fields: Mapping[str, Any]) -> None:
        """Write one event."""
        numbered = {"type": kind, "sequence_number": len(self.found), **fields}
        self.found.append(frame(dump_text(numbered), kind))

    def delta(self, kind: str, place: str, piece: str, more: str = "") -> None:
        """Write a piece of text; `place` and `more` are JSON text of further fields, which begin or end in commas."""
        number = len(self.found)
        padding = ""
        if self._obfuscate:
            start = number * 7 % 32
            padding = f',"obfuscation":"{_PADDING[start : start + 16 - len(piece) % 16]}"'
        data = f'{{"type":"{kind}","sequence_number":{number},{place}"delta":{dump_string(piece)}{more}{padding}}}'
        self.found.append(frame(data, kind))


def encode_stream(
    response: CompletionResponse, call: WireCall, meta: ResponseMeta, chunks: Sequence[str] | None
) -> list[bytes]:
    """Write a streamed answer, one element per event."""
    body = body_of(response, meta, call.shaping)
    writer = _Writer(obfuscate=call.include_obfuscation)
    opening = {**body, "status": "in_progress", "incomplete_details": None, "output": [], "usage": None}
    opening["service_tier"] = call.shaping.get("service_tier") or "auto"
    if call.shaping.get("background") is True:
        writer.event("response.created", {"response": {**opening, "status": "queued"}})
        writer.event("response.queued", {"response": {**opening, "status": "queued"}})
    else:
        writer.event("response.created", {"response": opening})
    writer.event("response.in_progress", {"response": opening})
    for index, item in enumerate(body["output"]):
        if _write_item(writer, index, item, chunks):
            chunks = None
    writer.event(f"response.{body['status']}", {"response": body})
    return writer.found


def _write_item(writer: _Writer, index: int, item: dict[str, Any], chunks: Sequence[str] | None) -> bool:
    """Write one item; return whether it used up the pieces of the text."""
    kind = item.get("type")
    used = False
    if kind == "message":
        started = {**item, "status": "in_progress", "content": []}
        writer.event("response.output_item.added", {"output_index": index, "item": started})
        for place, part in enumerate(item["content"]):
            used = _write_part(writer, {"item_id": item["id"], "output_index": index}, place, part, chunks) or used
    elif kind == "function_call":
        started = {**item, "status": "in_progress", "arguments": ""}
        writer.event("response.output_item.added", {"output_index": index, "item": started})
        _write_arguments(writer, index, item)
    elif kind == "reasoning":
        writer.event("response.output_item.added", {"output_index": index, "item": {**item, "summary": []}})
        _write_summary(writer, {"item_id": item["id"], "output_index": index}, item.get("summary") or ())
    else:
        started = {**item, "status": "in_progress"} if "status" in item else item
        writer.event("response.output_item.added", {"output_index": index, "item": started})
    writer.event("response.output_item.done", {"output_index": index, "item": item})
    return used


def _write_part(
    writer: _Writer, at: dict[str, Any], place: int, part: Mapping[str, Any], chunks: Sequence[str] | None
) -> bool:
    kind = "refusal" if part.get("type") == "refusal" else "output_text"
    name = "refusal" if kind == "refusal" else "text"
    at = {**at, "content_index": place}
    empty = {**part, name: ""} if kind == "refusal" else {**part, name: "", "annotations": [], "logprobs": []}
    writer.event("response.content_part.added", {**at, "part": empty})
    text = part.get(name) or ""
    used = chunks is not None and "".join(chunks) == text
    pieces = chunks if chunks is not None and used else words(text)
    where = dump_text(at)[1:-1] + ","
    tokens = part.get("logprobs") or []
    told = [*by_piece(tokens, pieces)] if tokens else [[]] * len(pieces)
    for piece, its_tokens in zip(pieces, told, strict=True):
        more = "" if kind == "refusal" else f',"logprobs":{dump_text(its_tokens)}'
        writer.delta(f"response.{kind}.delta", where, piece, more)
    for number, annotation in enumerate(part.get("annotations") or ()):
        added = {**at, "annotation_index": number, "annotation": annotation}
        writer.event("response.output_text.annotation.added", added)
    done = {**at, name: text} if kind == "refusal" else {**at, name: text, "logprobs": tokens}
    writer.event(f"response.{kind}.done", done)
    writer.event("response.content_part.done", {**at, "part": part})
    return used


def _write_arguments(writer: _Writer, index: int, item: Mapping[str, Any]) -> None:
    at = {"item_id": item.get("id"), "output_index": index}
    where = dump_text(at)[1:-1] + ","
    for piece in words(item["arguments"]):
        writer.delta("response.function_call_arguments.delta", where, piece)
    done = {**at, "name": item.get("name"), "arguments": item["arguments"]}
    writer.event("response.function_call_arguments.done", done)


def _write_summary(writer: _Writer, at: dict[str, Any], summary: Sequence[Mapping[str, Any]]) -> None:
    for place, part in enumerate(summary):
        here = {**at, "summary_index": place}
        writer.event("response.reasoning_summary_part.added", {**here, "part": {**part, "text": ""}})
        where = dump_text(here)[1:-1] + ","
        for piece in words(part.get("text") or ""):
            writer.delta("response.reasoning_summary_text.delta", where, piece)
        writer.event("response.reasoning_summary_text.done", {**here, "text": part.get("text")})
        writer.event("response.reasoning_summary_part.done", {**here, "part": part})
