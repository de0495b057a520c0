"""Cohere's stream of events, between server-sent events and types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from llmtest.types import CompletionResponse, FinishReason, StreamEvent
from llmtest.wire import _classify
from llmtest.wire._json import dump_text, loads
from llmtest.wire._records import ResponseMeta, WireCall
from llmtest.wire.cohere._answer import FINISH, answer_body, decode_body, decode_usage
from llmtest.wire.cohere._likely import likely_as_asked
from llmtest.wire.framing._event_decoder import EventDecoder
from llmtest.wire.framing._sse import ServerSentEvent, frame
from llmtest.wire.framing._words import words

__all__ = ["CohereStreamDecoder", "encode_stream"]

DONE = b"data: [DONE]\n\n"


def _event(kind: str, **fields: Any) -> bytes:
    return frame(dump_text({"type": kind, **fields}), kind)


def _told(index: int | None, kind: str, **message: Any) -> bytes:
    place = {} if index is None else {"index": index}
    return _event(kind, **place, delta={"message": message})


def encode_stream(
    response: CompletionResponse, call: WireCall, meta: ResponseMeta, chunks: Sequence[str] | None
) -> list[bytes]:
    """Write a streamed answer, one element per event."""
    body = answer_body(likely_as_asked(response, call), meta)
    message = body["message"]
    empty = {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}
    start = {"id": body["id"], "type": "message-start", "delta": {"message": empty}}
    found = [frame(dump_text(start), "message-start")]
    found += [_told(None, "tool-plan-delta", tool_plan=piece) for piece in words(message.get("tool_plan") or "")]
    for index, block in enumerate(message.get("content") or ()):
        name = "thinking" if "thinking" in block else "text"
        found.append(_told(index, "content-start", content={**block, name: ""}))
        own = chunks is not None and name == "text" and "".join(chunks) == block[name]
        pieces = chunks if own and chunks is not None else words(block[name])
        likely = _by_piece(body.get("logprobs") or (), pieces) if name == "text" else [{}] * len(pieces)
        found += [
            _event("content-delta", index=index, delta={"message": {"content": {name: piece}}}, **told)
            for piece, told in zip(pieces, likely, strict=True)
        ]
        found.append(_event("content-end", index=index))
    for index, tool in enumerate(message.get("tool_calls") or ()):
        function = tool["function"]
        found.append(_told(index, "tool-call-start", tool_calls={**tool, "function": {**function, "arguments": ""}}))
        found += [
            _told(index, "tool-call-delta", tool_calls={"function": {"arguments": piece}})
            for piece in words(function["arguments"])
        ]
        found.append(_event("tool-call-end", index=index))
    for index, cited in enumerate(message.get("citations") or ()):
        found += [_told(index, "citation-start", citations=cited), _event("citation-end", index=index)]
    last = {name: body[name] for name in ("finish_reason", "usage") if name in body}
    return [*found, _event("message-end", delta=last), DONE]


def _by_piece(items: Sequence[Mapping[str, Any]], pieces: Sequence[str]) -> list[dict[str, Any]]:
    """Hand out what is told of a text to its pieces, as the further field of each; the last one gets what is left."""
    found = []
    place = told = said = 0
    for number, piece in enumerate(pieces, 1):
        said, start = said + len(piece), place
        while place < len(items) and (told < said or number == len(pieces)):
            told += len(items[place]["text"])
            place += 1
        own = items[start:place]
        joined = {
            "text": "".join(each["text"] for each in own),
            "token_ids": [number for each in own for number in each["token_ids"]],
            "logprobs": [value for each in own for value in each["logprobs"]],
        }
        found.append({"logprobs": joined} if own else {})
    return found


class CohereStreamDecoder(EventDecoder):
    """Reads the events of an answer."""

    def __init__(self, request_id: str | None) -> None:
        super().__init__(request_id)
        self._message: dict[str, Any] = {"role": "assistant"}
        self._body: dict[str, Any] = {"message": self._message}
        self._pieces: dict[tuple[str, int], list[str]] = {}
        self._parts: dict[tuple[str, int], int] = {}

    def take(self, event: ServerSentEvent, out: list[StreamEvent]) -> None:
        """Read one event."""
        if event.data.startswith("[DONE]"):
            self.done = True
            return
        try:
            data = loads(event.data)
        except ValueError as error:
            raise self.malformed(event.data, error) from error
        if not isinstance(data, dict):
            raise self.malformed(event.data)
        delta = data.get("delta")
        delta = delta if isinstance(delta, dict) else {}
        if data.get("error") or delta.get("error"):
            raise self.failed(_classify.classify(200, None, None, str(data.get("error") or delta.get("error"))))
        before = len(out)
        told = delta.get("message")
        self._take(str(data.get("type")), data, told if isinstance(told, dict) else {}, delta, out)
        self.note(out[before:])

    def _take(
        self,
        kind: str,
        data: Mapping[str, Any],
        told: Mapping[str, Any],
        delta: Mapping[str, Any],
        out: list[StreamEvent],
    ) -> None:
        index = data.get("index") or 0
        match kind:
            case "message-start":
                self._body["id"] = data.get("id")
                out.append(StreamEvent("start", id=data.get("id")))
            case "tool-plan-delta":
                self._append("text", "tool_plan", 0, told["tool_plan"], out)
            case "content-start":
                self._message.setdefault("content", []).append(dict(told["content"]))
            case "content-delta":
                name = "thinking" if "thinking" in told["content"] else "text"
                self._append(name, "content", index, told["content"][name], out)
                if isinstance(data.get("logprobs"), dict):
                    self._body.setdefault("logprobs", []).append(data["logprobs"])
            case "tool-call-start":
                call = dict(told["tool_calls"])
                self._message.setdefault("tool_calls", []).append(call)
                place = self._place("tool_calls", index)
                out.append(StreamEvent("tool_call", index=place, id=call.get("id"), name=call["function"]["name"]))
            case "tool-call-delta":
                self._append("tool_arguments", "tool_calls", index, told["tool_calls"]["function"]["arguments"], out)
            case "citation-start":
                self._message.setdefault("citations", []).append(told["citations"])
            case "message-end":
                self._end(delta, out)

    def _place(self, name: str, index: int) -> int:
        return self._parts.setdefault((name, index), len(self._parts))

    def _append(self, kind: Any, name: str, index: int, text: str, out: list[StreamEvent]) -> None:
        self._pieces.setdefault((name, index), []).append(text)
        if text:
            out.append(StreamEvent(kind, text, self._place(name, index)))

    def _end(self, delta: Mapping[str, Any], out: list[StreamEvent]) -> None:
        self._body.update((name, delta[name]) for name in ("finish_reason", "usage") if name in delta)
        word = delta.get("finish_reason")
        if isinstance(word, str):
            reason = FINISH.get(word, FinishReason.UNKNOWN)
            out.append(StreamEvent("finish", finish_reason=reason, raw_finish_reason=word))
        if "usage" in delta:
            self.usage = decode_usage(delta["usage"])
            out.append(StreamEvent("usage", usage=self.usage))

    def assemble(self) -> CompletionResponse:
        """Return the whole answer."""
        for (name, index), pieces in self._pieces.items():
            text = "".join(pieces)
            if name == "tool_plan":
                self._message["tool_plan"] = text
            elif name == "content":
                block = self._message["content"][index]
                block["thinking" if "thinking" in block else "text"] = text
            else:
                call = self._message["tool_calls"][index]
                call["function"] = {**call["function"], "arguments": text}
        return decode_body(self._body, self.request_id)
