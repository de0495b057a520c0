"""Ollama's streamed answer: lines with the next piece each, between JSON and types."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from llmtest.errors import ProviderError
from llmtest.types import CompletionResponse, StreamEvent
from llmtest.wire._json import dumps, dumps_text, loads
from llmtest.wire._records import ResponseMeta
from llmtest.wire.framing import NDJSON
from llmtest.wire.framing._event_decoder import EventDecoder
from llmtest.wire.framing._sse import ServerSentEvent
from llmtest.wire.framing._words import words
from llmtest.wire.ollama.native._parts import OWN_ID
from llmtest.wire.ollama.native._response import body_of, decode_body, message_in

__all__ = ["OllamaStreamDecoder", "encode_stream"]

_PIECES = frozenset({"message", "response", "thinking", "tool_calls", "logprobs"})
_ON_EACH = ("model", "created_at", "remote_model", "remote_host")


def encode_stream(
    response: CompletionResponse, meta: ResponseMeta, chunks: Sequence[str] | None, *, is_prompt: bool
) -> list[bytes]:
    """Write a streamed answer, one element per line; the last one says why it ended and how long it took.

    Args:
        response: What is answered.
        meta: What surrounds it.
        chunks: The pieces in which the text arrives; None cuts it into words.
        is_prompt: Whether `/api/generate` was asked.
    """
    body = body_of(response, meta, is_prompt=is_prompt)
    message = message_in(body)
    head = {name: body[name] for name in _ON_EACH if name in body}
    tokens = body.pop("logprobs", None)
    text = message.get("content") or ""
    pieces: list[dict[str, Any]] = [{"thinking": piece} for piece in words(message.get("thinking") or "")]
    own = chunks is not None and "".join(chunks) == text
    pieces += [{"content": piece} for piece in (chunks if own and chunks is not None else words(text))]
    pieces += [{name: message[name]} for name in ("images", "tool_calls") if message.get(name)]
    lines = [{**head, **_piece(piece, is_prompt=is_prompt), "done": False} for piece in pieces]
    if tokens and lines:
        lines[-1]["logprobs"] = tokens
    last = {name: value for name, value in body.items() if name not in _PIECES and name not in head}
    lines.append({**head, **_piece({}, is_prompt=is_prompt), **last})
    return [dumps(each) + NDJSON.separator for each in lines]


def _piece(piece: Mapping[str, Any], *, is_prompt: bool) -> dict[str, Any]:
    if not is_prompt:
        return {"message": {"role": "assistant", "content": "", **piece}}
    told = {"response" if name == "content" else name: value for name, value in piece.items()}
    return {"response": "", **told}


class OllamaStreamDecoder(EventDecoder):
    """Reads the lines of a stream.

    Args:
        classify: Reads an error that came as a line.
        request_id: The provider's id of the request.
    """

    def __init__(self, classify: Callable[[Mapping[str, Any]], ProviderError], request_id: str | None) -> None:
        super().__init__(request_id, NDJSON)
        self._classify = classify
        self._head: dict[str, Any] = {}
        self._is_prompt = False
        self._texts: dict[str, list[str]] = {"thinking": [], "content": []}
        self._lists: dict[str, list[Any]] = {"images": [], "tool_calls": [], "logprobs": []}
        self._parts: dict[str, int] = {}
        self._number = 0

    def take(self, event: ServerSentEvent, out: list[StreamEvent]) -> None:
        """Read one line."""
        try:
            line = loads(event.data)
        except ValueError as error:
            raise self.malformed(event.data, error) from error
        if not isinstance(line, dict):
            raise self.malformed(event.data)
        if line.get("error"):
            raise self.failed(self._classify(line))
        if not self._head:
            out.append(StreamEvent("start", model=line.get("model")))
        self._head.update((name, value) for name, value in line.items() if name not in _PIECES)
        self._is_prompt = self._is_prompt or "response" in line
        events = self._told(message_in(line))
        if isinstance(line.get("logprobs"), list):
            self._lists["logprobs"] += line["logprobs"]
        self.done = line.get("done") is True
        if self.done:
            whole = self.assemble()
            if whole.usage.source != "unknown":
                self.usage = whole.usage
                events.append(StreamEvent("usage", usage=whole.usage))
            reason, word = whole.finish_reason, whole.raw_finish_reason
            events.append(StreamEvent("finish", finish_reason=reason, raw_finish_reason=word))
        out += events
        self.note(events)

    def _told(self, message: Mapping[str, Any]) -> list[StreamEvent]:
        events: list[StreamEvent] = []
        for name, kind in (("thinking", "thinking"), ("content", "text")):
            text = message.get(name)
            if isinstance(text, str) and text:
                self._texts[name].append(text)
                place = self._parts.setdefault(name, len(self._parts))
                events.append(StreamEvent(kind, text, place))  # type: ignore[arg-type]  # one of two kinds
        for name in ("images", "tool_calls"):
            if isinstance(message.get(name), list):
                self._lists[name] += message[name]
        calls = message.get("tool_calls")
        for call in calls if isinstance(calls, list) else ():
            function = call["function"]
            self._number += 1
            place = self._parts.setdefault(f"call {self._number}", len(self._parts))
            arguments = function.get("arguments")
            identity = call.get("id") or f"{OWN_ID}{self._number}"
            events.append(StreamEvent("tool_call", index=place, id=identity, name=function.get("name") or ""))
            text = arguments if isinstance(arguments, str) else dumps_text(arguments or {})
            events.append(StreamEvent("tool_arguments", text, place))
        return events

    def assemble(self) -> CompletionResponse:
        """Return the whole answer."""
        text, thinking = ("".join(self._texts[name]) for name in ("content", "thinking"))
        calls, images, tokens = (self._lists[name] for name in ("tool_calls", "images", "logprobs"))
        beside = {"thinking": thinking, "tool_calls": calls, "images": images}
        told = {name: value for name, value in beside.items() if value}
        body = dict(self._head)
        if self._is_prompt:
            body.update(told, response=text)
        else:
            body["message"] = {"role": "assistant", "content": text, **told}
        if tokens:
            body["logprobs"] = tokens
        return decode_body(body, self.request_id)
