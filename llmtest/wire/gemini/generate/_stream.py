"""Gemini's streamed answer: whole responses, each with the next parts, between events and types."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from llmtest.errors import ProviderError
from llmtest.types import CompletionResponse, FinishReason, OpaquePart, StreamEvent, ToolCall
from llmtest.wire._json import count, encoder_of, loads
from llmtest.wire._records import ResponseMeta
from llmtest.wire.framing._event_decoder import EventDecoder
from llmtest.wire.framing._framing import Framing
from llmtest.wire.framing._sse import ServerSentEvent
from llmtest.wire.framing._words import words
from llmtest.wire.gemini.generate._likely import LIKELY, cut_likely, joined_likely
from llmtest.wire.gemini.generate._parts import decode_part
from llmtest.wire.gemini.generate._response import blocked, body_of, decode_body, decode_usage

__all__ = ["GeminiStreamDecoder", "encode_stream", "event_text"]

_ENCODE = encoder_of(": ", ascii_only=False)
_ENCODE_ASCII = encoder_of(": ", ascii_only=True)


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
        likely = candidate.pop(LIKELY, None)
        told = [{}] * len(pieces) if likely is None else cut_likely(likely, [_text(piece) for piece in pieces])
        for piece, own in zip(pieces, told, strict=True):
            beneath = {LIKELY: own} if own else {}
            said = {"content": {"parts": [piece], "role": "model"}, **beneath, "index": index}
            found.append({"candidates": [said], **beside, **body})
        last = {name: value for name, value in candidate.items() if name != "content"}
        if pieces and len(whole) == 1:
            found[-1]["candidates"][0].update(last)
        else:
            closing = {} if content is None else {"content": {"parts": [{"text": ""}], "role": "model"}}
            found.append({"candidates": [{**closing, **last}], **beside, **body})
    return found


def _text(piece: Mapping[str, Any]) -> str:
    """Return the words of a piece of the answer; thoughts and calls are none."""
    return "" if piece.get("thought") is True else str(piece.get("text", ""))


def _pieces(part: Mapping[str, Any], chunks: Sequence[str] | None) -> list[dict[str, Any]]:
    text = part.get("text")
    if not isinstance(text, str) or "thoughtSignature" in part:
        return [dict(part)]
    own = chunks is not None and part.get("thought") is not True and "".join(chunks) == text
    return [{**part, "text": piece} for piece in (chunks if own and chunks is not None else words(text))]


class _Candidate:
    """What has arrived of one candidate. A text that goes on is joined when it ends, not with every piece."""

    def __init__(self) -> None:
        self.beside: dict[str, Any] = {}
        self._parts: list[Any] = []
        self._open: list[str] = []
        """The pieces of the last part, where that is a text which may go on."""

    def body(self, index: int | None = None) -> dict[str, Any]:
        """Return the candidate as a whole answer has it."""
        self._join()
        found = {"content": {"parts": self._parts, "role": "model"}, **self.beside}
        return found if index is None else {**found, "index": index}

    def place(self) -> int:
        """Return the place of the last part."""
        return len(self._parts) - 1

    def add(self, part: Any) -> None:
        """Add a part that is no text."""
        self._join()
        self._parts.append(part)

    def add_text(self, raw: dict[str, Any], text: str) -> None:
        """Add a text, or let the one before it go on, where both are of one kind."""
        last: dict[str, Any] = self._parts[-1] if self._open else {}
        if self._open and "thoughtSignature" not in last and bool(last.get("thought")) == (raw.get("thought") is True):
            self._open.append(text)
            if len(raw) > 1:
                last.update((name, value) for name, value in raw.items() if name not in ("text", "thought"))
        elif text or "thoughtSignature" in raw:
            self._join()
            self._parts.append(dict(raw))
            self._open.append(text)

    def _join(self) -> None:
        if len(self._open) > 1:
            self._parts[-1]["text"] = "".join(self._open)
        self._open.clear()


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
        self._candidates: dict[int, _Candidate] = {}
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
        refused = blocked(data, self.request_id) if "promptFeedback" in data and not self._candidates else None
        if refused is not None:
            raise refused
        candidates = data.pop("candidates", None) or ()
        self._head.update(data)
        if not self._started:
            self._started = True
            out.append(StreamEvent("start", id=data.get("responseId"), model=data.get("modelVersion")))
        before = len(out)
        for each in candidates:
            self._take_candidate(each, out)
        self.note(out[before:])
        usage = data.get("usageMetadata")
        if isinstance(usage, dict):
            self.usage = decode_usage(usage)
            out.append(StreamEvent("usage", usage=self.usage))
        known = self._candidates
        self.done = bool(known) and all(each.beside.get("finishReason") for each in known.values())

    def _take_candidate(self, raw: dict[str, Any], out: list[StreamEvent]) -> None:
        index = count(raw.get("index"))
        known = self._candidates.get(index)
        if known is None:
            known = self._candidates[index] = _Candidate()
        content = raw.pop("content", None)
        events: list[StreamEvent] = []
        for part in (content.get("parts") or ()) if isinstance(content, dict) else ():
            _take_part(known, part, events)
        if LIKELY in raw:
            raw[LIKELY] = joined_likely(known.beside.get(LIKELY), raw[LIKELY])
        known.beside.update(raw)
        word = raw.get("finishReason")
        if isinstance(word, str):
            whole = decode_body({"candidates": [known.body()]}, None)
            events.append(StreamEvent("finish", finish_reason=whole.finish_reason, raw_finish_reason=word))
        if index == 0:
            out += events

    def assemble(self) -> CompletionResponse:
        """Return the whole answer."""
        candidates = []
        for index, candidate in sorted(self._candidates.items()):
            whole = candidate.body(index)
            if not whole["content"]["parts"] and _is_filtered(whole):
                del whole["content"]
            candidates.append(whole)
        return decode_body({**self._head, "candidates": candidates}, self.request_id)


def _take_part(known: _Candidate, raw: Any, out: list[StreamEvent]) -> None:
    """Add a part, and tell of it."""
    text = raw.get("text") if isinstance(raw, dict) else None
    if isinstance(text, str):
        known.add_text(raw, text)
        if text:
            out.append(StreamEvent("thinking" if raw.get("thought") is True else "text", text, known.place()))
        return
    known.add(raw)
    place = known.place()
    read = decode_part(raw, place)
    if isinstance(read, ToolCall):
        out.append(StreamEvent("tool_call", index=place, id=read.id, name=read.name))
        out.append(StreamEvent("tool_arguments", read.arguments, place))
    else:
        data = read.data if isinstance(read, OpaquePart) else raw
        out.append(StreamEvent("opaque", index=place, data=data))


def _is_filtered(candidate: Mapping[str, Any]) -> bool:
    read = decode_body({"candidates": [candidate]}, None)
    return read.finish_reason is FinishReason.CONTENT_FILTER
