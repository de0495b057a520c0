"""Anthropic messages: the streamed answer, between server-sent events and types."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from llmtest.errors import ProviderError
from llmtest.types import CompletionResponse, FinishReason, ResponsePart, StreamEvent, ToolCall, Usage
from llmtest.wire._json import count, dump_string, dump_text, loads
from llmtest.wire._records import ResponseMeta
from llmtest.wire.anthropic.messages import _response as answers
from llmtest.wire.anthropic.messages._parts import decode_part, tool_input
from llmtest.wire.anthropic.messages._usage import decode_usage
from llmtest.wire.framing._event_decoder import EventDecoder
from llmtest.wire.framing._framing import SSE, Framing
from llmtest.wire.framing._sse import ServerSentEvent, frame
from llmtest.wire.framing._words import words

PING = b'event: ping\ndata: {"type": "ping"}\n\n'
MOST_KEPT_CHUNKS = 64
"""Pieces of the longest stream whose events are kept."""
_STARTED = frozenset({"text", "thinking", "redacted_thinking", "tool_use"})


class _Writer:
    """Writes events; Anthropic pads each with spaces before its last brace, here as many as its number asks."""

    def __init__(self) -> None:
        self.found: list[bytes] = []

    def event(self, name: str, data: str) -> None:
        """Write one event; `data` is JSON text of an object."""
        padding = " " * (len(self.found) * 5 % 13 + 2)
        self.found.append(f"event: {name}\ndata: {data[:-1]}{padding}}}\n\n".encode())

    def delta(self, index: int, kind: str, name: str, text: str) -> None:
        """Write a piece of a block."""
        self.event(
            "content_block_delta",
            f'{{"type":"content_block_delta","index":{index},"delta":{{"type":"{kind}","{name}":{dump_string(text)}}}}}',
        )


def encode_stream(response: CompletionResponse, meta: ResponseMeta, chunks: Sequence[str] | None) -> list[bytes]:
    """Write a streamed answer, one element per event."""
    if chunks is None or len(chunks) > MOST_KEPT_CHUNKS or not answers.is_plain(response):
        return _written(response, meta, chunks)
    model = meta.model if response.model is None else response.model
    before, after, rest = _written_once(
        response.parts, response.finish_reason, response.raw_finish_reason, response.usage, model, tuple(chunks)
    )
    identity = dump_text(meta.id if response.id is None else response.id)
    return [before + identity.encode() + after, *rest]


@lru_cache(maxsize=64)
def _written_once(
    parts: tuple[ResponsePart, ...],
    finish_reason: FinishReason | None,
    raw_finish_reason: str | None,
    usage: Usage,
    model: str | None,
    chunks: tuple[str, ...],
) -> tuple[bytes, bytes, list[bytes]]:
    """Return the first event before and after the id, which alone differs between requests, and the other events."""
    response = CompletionResponse(
        parts=parts, finish_reason=finish_reason, raw_finish_reason=raw_finish_reason, usage=usage, model=model
    )
    first, *rest = _written(response, ResponseMeta(), chunks)
    place = f'"model":{dump_text(model)},"id":'.encode()
    before, found, after = first.partition(place + b"null")
    assert found, "the first event has model and id in another order"
    return before + place, after, rest


def _written(response: CompletionResponse, meta: ResponseMeta, chunks: Sequence[str] | None) -> list[bytes]:
    body = answers.encode_body(response, meta)
    usage = body["usage"]
    final = {"stop_reason": body["stop_reason"], "stop_sequence": body["stop_sequence"]}
    final["stop_details"] = body.get("stop_details")
    start = {**body, "content": [], "stop_reason": None, "stop_sequence": None, "stop_details": None}
    start["usage"] = {**usage, "output_tokens": min(1, count(usage.get("output_tokens")))}
    start["usage"].pop("output_tokens_details", None)
    writer = _Writer()
    writer.event("message_start", dump_text({"type": "message_start", "message": start}))
    for index, block in enumerate(body["content"]):
        text = chunks if chunks is not None and block.get("type") == "text" else None
        _encode_block(writer, block, index, text, _arguments(response, index))
        if text is not None:
            chunks = None
    shown = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens")
    total = {name: usage[name] for name in (*shown, "output_tokens_details", "server_tool_use") if name in usage}
    writer.event("message_delta", dump_text({"type": "message_delta", "delta": final, "usage": total}))
    writer.event("message_stop", '{"type":"message_stop"}')
    return writer.found


def _arguments(response: CompletionResponse, index: int) -> str | None:
    part = response.parts[index]
    return part.arguments if isinstance(part, ToolCall) else None


def _encode_block(
    writer: _Writer, block: Mapping[str, Any], index: int, chunks: Sequence[str] | None, arguments: str | None
) -> None:
    kind = block.get("type")
    start = {"type": "content_block_start", "index": index, "content_block": _start_of(block)}
    writer.event("content_block_start", dump_text(start))
    if index == 0:
        writer.found.append(PING)
    if kind == "text":
        for piece in words(block["text"]) if chunks is None else chunks:
            writer.delta(index, "text_delta", "text", piece)
        _encode_citations(writer, index, block.get("citations") or ())
    elif kind == "thinking":
        for piece in words(block["thinking"]):
            writer.delta(index, "thinking_delta", "thinking", piece)
        if block.get("signature"):
            writer.delta(index, "signature_delta", "signature", block["signature"])
    elif arguments is not None:
        writer.delta(index, "input_json_delta", "partial_json", "")
        for piece in words(arguments) if arguments != "{}" else ():
            writer.delta(index, "input_json_delta", "partial_json", piece)
    writer.event("content_block_stop", f'{{"type":"content_block_stop","index":{index}}}')


def _start_of(block: Mapping[str, Any]) -> dict[str, Any]:
    """Return a block as it begins: with nothing of what the deltas bring."""
    empty: dict[str, dict[str, Any]] = {
        "text": {"text": ""},
        "thinking": {"thinking": "", "signature": ""},
        "tool_use": {"input": {}},
        "server_tool_use": {"input": {}},
    }
    started = {**block, **empty.get(str(block.get("type")), {})}
    if started.get("citations"):
        started["citations"] = []
    return started


def _encode_citations(writer: _Writer, index: int, citations: Iterable[Any]) -> None:
    for citation in citations:
        delta = {"type": "citations_delta", "citation": citation}
        writer.event("content_block_delta", dump_text({"type": "content_block_delta", "index": index, "delta": delta}))


class AnthropicStreamDecoder(EventDecoder):
    """Reads the events of a message."""

    def __init__(
        self,
        classify: Callable[[Mapping[str, Any]], ProviderError],
        request_id: str | None,
        framing: Framing = SSE,
    ) -> None:
        super().__init__(request_id, framing)
        self._classify = classify
        self._message: dict[str, Any] = {}
        self._blocks: dict[int, dict[str, Any]] = {}
        # Pieces of texts are joined at the end: a text that grows is copied with every piece.
        self._texts: dict[int, dict[str, list[str]]] = {}
        self._inputs: dict[int, list[str]] = {}

    def take(self, event: ServerSentEvent, out: list[StreamEvent]) -> None:
        """Read one event."""
        try:
            data = loads(event.data)
        except ValueError as error:
            raise self.malformed(event.data, error) from error
        if not isinstance(data, dict):
            raise self.malformed(event.data)
        kind = data.get("type") or event.event
        before = len(out)
        if kind == "content_block_delta":
            self._take_delta(data, out)
        elif kind == "content_block_start":
            self._take_block(data, out)
        elif kind == "message_start":
            self._take_start(data, out)
        elif kind == "message_delta":
            self._take_end(data, out)
        elif kind == "message_stop":
            self.done = True
        elif kind == "error":
            raise self.failed(self._classify(data))
        elif kind not in {"ping", "content_block_stop"}:
            out.append(StreamEvent("opaque", data=data))
        self.note(out[before:])

    def _take_start(self, data: Mapping[str, Any], out: list[StreamEvent]) -> None:
        message = data.get("message")
        self._message = dict(message) if isinstance(message, dict) else {}
        out.append(StreamEvent("start", id=self._message.get("id"), model=self._message.get("model")))
        self._take_usage(self._message.pop("usage", None), out)

    def _take_usage(self, raw: object, out: list[StreamEvent]) -> None:
        if isinstance(raw, dict):
            known = self._message.get("usage") or {}
            self._message["usage"] = {**known, **{name: value for name, value in raw.items() if value is not None}}
            for name, value in raw.items():
                self._message["usage"].setdefault(name, value)
            self.usage = decode_usage(self._message["usage"])
            out.append(StreamEvent("usage", usage=self.usage))

    def _take_end(self, data: Mapping[str, Any], out: list[StreamEvent]) -> None:
        self._take_usage(data.get("usage"), out)
        more = {name: value for name, value in data.items() if name not in {"type", "delta", "usage"}}
        self._message.update(more)
        delta = data.get("delta")
        if isinstance(delta, dict):
            self._message.update(delta)
            raw = delta.get("stop_reason")
            if isinstance(raw, str):
                finish = answers.FINISH.get(raw, FinishReason.UNKNOWN)
                out.append(StreamEvent("finish", finish_reason=finish, raw_finish_reason=raw))

    def _take_block(self, data: Mapping[str, Any], out: list[StreamEvent]) -> None:
        index = count(data.get("index"))
        block = data.get("content_block")
        block = self._blocks[index] = dict(block) if isinstance(block, dict) else {}
        self._texts[index] = {}
        kind = block.get("type")
        if kind == "tool_use":
            out.append(StreamEvent("tool_call", index=index, id=block.get("id"), name=block.get("name")))
            if block.get("input"):
                whole: str = decode_part(block).arguments  # type: ignore[union-attr]  # a tool call
                self._inputs[index] = [whole]
                out.append(StreamEvent("tool_arguments", whole, index))
        elif kind == "text" and isinstance(block.get("text"), str) and block["text"]:
            out.append(StreamEvent("text", block["text"], index))
        elif kind == "thinking" and isinstance(block.get("thinking"), str) and block["thinking"]:
            out.append(StreamEvent("thinking", block["thinking"], index))
        elif kind not in _STARTED or kind == "redacted_thinking":
            out.append(StreamEvent("opaque", index=index, data=block))

    def _take_delta(self, data: Mapping[str, Any], out: list[StreamEvent]) -> None:
        index = count(data.get("index"))
        delta = data.get("delta")
        delta = delta if isinstance(delta, dict) else {}
        block = self._blocks.setdefault(index, {})
        kind = delta.get("type")
        if kind == "text_delta":
            self._append("text", delta, out, index, "text")
        elif kind == "thinking_delta":
            self._append("thinking", delta, out, index, "thinking")
        elif kind == "signature_delta":
            self._append("signature", delta, out, index, "signature")
        elif kind == "input_json_delta":
            piece = delta.get("partial_json") or ""
            if not isinstance(piece, str):
                raise self.malformed(str(delta), "`partial_json` is no text")
            self._inputs.setdefault(index, []).append(piece)
            if piece and block.get("type") == "tool_use":
                out.append(StreamEvent("tool_arguments", piece, index))
            elif piece:
                out.append(StreamEvent("opaque", index=index, data=data))
        else:
            if kind == "citations_delta":
                block["citations"] = [*(block.get("citations") or ()), delta.get("citation")]
            out.append(StreamEvent("opaque", index=index, data=data))

    def _append(self, name: str, delta: Mapping[str, Any], out: list[StreamEvent], index: int, kind: Any) -> None:
        piece = delta.get(name)
        if isinstance(piece, str) and piece:
            self._texts.setdefault(index, {}).setdefault(name, []).append(piece)
            out.append(StreamEvent(kind, piece, index))

    def assemble(self) -> CompletionResponse:
        """Return the whole answer; arguments of tool calls are exactly the text that came."""
        indexes = sorted(self._blocks)
        blocks = {index: _grown(block, self._texts.get(index, {})) for index, block in self._blocks.items()}
        inputs = {index: text for index, pieces in self._inputs.items() if (text := "".join(pieces))}
        for index, text in inputs.items():
            blocks[index]["input"] = tool_input(text)
        body = {**self._message, "content": [blocks[index] for index in indexes]}
        response = answers.decode_body(body, self.request_id)
        if not inputs:
            return response
        parts = tuple(
            replace(part, arguments=inputs[index]) if isinstance(part, ToolCall) and index in inputs else part
            for index, part in zip(indexes, response.parts, strict=True)
        )
        return replace(response, parts=parts)


def _grown(block: Mapping[str, Any], texts: Mapping[str, list[str]]) -> dict[str, Any]:
    """Return a block with the texts that came after its start."""
    whole = dict(block)
    for name, pieces in texts.items():
        start = block.get(name)
        whole[name] = "".join([start if isinstance(start, str) else "", *pieces])
    return whole


def encode_stream_error(error: Mapping[str, Any]) -> bytes:
    """Write an error as an event."""
    return frame(dump_text({"type": "error", "error": error}), "error")
