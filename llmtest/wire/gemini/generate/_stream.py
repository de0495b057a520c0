"""Gemini's streamed answer: whole responses, each with the next parts, between events and types."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from llmtest.errors import ProviderError
from llmtest.types import CompletionResponse, FinishReason, OpaquePart, StreamEvent, TextPart, ThinkingPart, ToolCall
from llmtest.wire._json import count, loads
from llmtest.wire._records import ResponseMeta
from llmtest.wire.framing._event_decoder import EventDecoder
from llmtest.wire.framing._framing import Framing
from llmtest.wire.framing._sse import ServerSentEvent
from llmtest.wire.framing._words import words
from llmtest.wire.gemini.generate._parts import decode_part
from llmtest.wire.gemini.generate._response import blocked, body_of, decode_body, decode_usage

__all__ = ["GeminiStreamDecoder", "encode_stream", "event_text"]

_ENCODE = json.JSONEncoder(ensure_ascii=False, separators=(",", ": ")).encode
_ENCODE_ASCII = json.JSONEncoder(separators=(",", ": ")).encode


def event_text(value: Any) -> bytes:
    """Write the JSON of an event with Google's spaces."""
    try:
        return _ENCODE(value).encode()
    except UnicodeEncodeError:
        return _ENCODE_ASCII(value).encode()


def encode_stream(
    response: CompletionResponse, meta: ResponseMeta, chunks: Sequence[str] | None
) -> list[dict[str, Any]]:
    """Return the responses of a stream, each with the next piece; the last one says why it ended."""
    body = body_of(response, meta)
    whole, usage = body.pop("candidates"), body.pop("usageMetadata", None)
    beside = {"usageMetadata": usage} if usage is not None else {}
    found: list[dict[str, Any]] = []
    for candidate in whole:
        index = candidate.get("index", 0)
        content = candidate.get("content")
        parts = content.get("parts", ()) if isinstance(content, dict) else ()
        pieces = [piece for part in parts for piece in _pieces(part, chunks if index == 0 else None)]
        for piece in pieces:
            said = {"content": {"parts": [piece], "role": "model"}, "index": index}
            found.append({"candidates": [said], **beside, **body})
        last = {name: value for name, value in candidate.items() if name != "content"}
        if pieces and len(whole) == 1:
            found[-1]["candidates"][0].update(last)
        else:
            closing = {} if content is None else {"content": {"parts": [{"text": ""}], "role": "model"}}
            found.append({"candidates": [{**closing, **last}], **beside, **body})
    return found


def _pieces(part: Mapping[str, Any], chunks: Sequence[str] | None) -> list[dict[str, Any]]:
    text = part.get("text")
    if not isinstance(text, str) or "thoughtSignature" in part:
        return [dict(part)]
    own = chunks is not None and part.get("thought") is not True and "".join(chunks) == text
    return [{**part, "text": piece} for piece in (chunks if own and chunks is not None else words(text))]


class GeminiStreamDecoder(EventDecoder):
    """Reads the responses of a stream; only the first candidate is told of before the end.

    Args:
        classify: Reads an error that came as an event.
        request_id: The provider's id of the request.
        framing: How the stream is cut.
    """

    def __init__(
        self, classify: Callable[[Mapping[str, Any]], ProviderError], request_id: str | None, framing: Framing
    ) -> None:
        super().__init__(request_id, framing)
        self._classify = classify
        self._head: dict[str, Any] = {}
        self._candidates: dict[int, dict[str, Any]] = {}
        self._started = False

    def take(self, event: ServerSentEvent, out: list[StreamEvent]) -> None:
        """Read one event."""
        try:
            data = loads(event.data)
        except ValueError as error:
            raise self.malformed(event.data, error) from error
        if not isinstance(data, dict):
            raise self.malformed(event.data)
        if data.get("error"):
            raise self.failed(self._classify(data))
        refused = blocked(data, self.request_id)
        if refused is not None and not self._candidates:
            raise refused
        self._head.update((name, value) for name, value in data.items() if name != "candidates")
        if not self._started:
            self._started = True
            out.append(StreamEvent("start", id=data.get("responseId"), model=data.get("modelVersion")))
        before = len(out)
        for each in data.get("candidates") or ():
            self._take_candidate(each, out)
        self.note(out[before:])
        if isinstance(data.get("usageMetadata"), dict):
            self.usage = decode_usage(data["usageMetadata"])
            out.append(StreamEvent("usage", usage=self.usage))
        self.done = bool(self._candidates) and all(each.get("finishReason") for each in self._candidates.values())

    def _take_candidate(self, raw: dict[str, Any], out: list[StreamEvent]) -> None:
        index = count(raw.get("index"))
        known = self._candidates.setdefault(index, {"content": {"parts": [], "role": "model"}})
        content = raw.get("content")
        events: list[StreamEvent] = []
        for part in (content.get("parts") or ()) if isinstance(content, dict) else ():
            self._take_part(known["content"]["parts"], part, events)
        known.update((name, value) for name, value in raw.items() if name != "content")
        word = raw.get("finishReason")
        if isinstance(word, str):
            whole = decode_body({"candidates": [known]}, None)
            events.append(StreamEvent("finish", finish_reason=whole.finish_reason, raw_finish_reason=word))
        if index == 0:
            out += events

    def _take_part(self, parts: list[Any], raw: Any, out: list[StreamEvent]) -> None:
        """Add a part; text goes on from the text before it, where both are of one kind."""
        read = decode_part(raw, len(parts))
        if isinstance(read, TextPart | ThinkingPart):
            kind = "thinking" if isinstance(read, ThinkingPart) else "text"
            last: dict[str, Any] = parts[-1] if parts and isinstance(parts[-1], dict) else {}
            goes_on = isinstance(last.get("text"), str) and "thoughtSignature" not in last
            if goes_on and bool(last.get("thought")) == (kind == "thinking"):
                last["text"] += read.text
                last.update((name, value) for name, value in raw.items() if name not in ("text", "thought"))
            elif read.text or "thoughtSignature" in raw:
                parts.append(dict(raw))
            if read.text:
                out.append(StreamEvent(kind, read.text, len(parts) - 1))  # type: ignore[arg-type]  # one of two kinds
            return
        parts.append(raw)
        place = len(parts) - 1
        if isinstance(read, ToolCall):
            out.append(StreamEvent("tool_call", index=place, id=read.id, name=read.name))
            out.append(StreamEvent("tool_arguments", read.arguments, place))
        else:
            data = read.data if isinstance(read, OpaquePart) else raw
            out.append(StreamEvent("opaque", index=place, data=data))

    def assemble(self) -> CompletionResponse:
        """Return the whole answer."""
        candidates = []
        for index, candidate in sorted(self._candidates.items()):
            whole = {**candidate}
            if not candidate["content"]["parts"] and _is_filtered(candidate):
                del whole["content"]
            candidates.append({**whole, "index": index})
        return decode_body({**self._head, "candidates": candidates}, self.request_id)


def _is_filtered(candidate: Mapping[str, Any]) -> bool:
    read = decode_body({"candidates": [candidate]}, None)
    return read.finish_reason is FinishReason.CONTENT_FILTER
