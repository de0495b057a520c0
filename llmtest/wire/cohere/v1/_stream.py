"""A streamed answer of the first version: lines of JSON, the last of which holds the whole answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llmtest.types import CompletionResponse, StreamEvent, TextPart
from llmtest.wire import _classify
from llmtest.wire._json import dump_text, dumps_text, loads
from llmtest.wire._records import ResponseMeta, WireCall
from llmtest.wire.cohere.v1._answer import answer_body, decode_body
from llmtest.wire.framing import JSON_LINES, EventDecoder, ServerSentEvent, line, words

__all__ = ["FirstVersionDecoder", "encode_stream"]


def _event(kind: str, *, last: bool = False, **fields: Any) -> bytes:
    return line(dump_text({"is_finished": last, "event_type": kind, **fields}))


def encode_stream(
    response: CompletionResponse, call: WireCall, meta: ResponseMeta, chunks: Sequence[str] | None
) -> list[bytes]:
    """Write a streamed answer, one element per event."""
    body = answer_body(response, call, meta)
    found = [_event("stream-start", generation_id=body["generation_id"])]
    for part in response.parts:
        if isinstance(part, TextPart):
            own = chunks is not None and "".join(chunks) == part.text
            pieces = chunks if own and chunks is not None else words(part.text)
            found += [_event("text-generation", text=piece) for piece in pieces]
    calls = body.get("tool_calls") or ()
    for place, each in enumerate(calls):
        found.append(_event("tool-calls-chunk", tool_call_delta={"index": place, "name": each["name"]}))
        found += [
            _event("tool-calls-chunk", tool_call_delta={"index": place, "parameters": piece})
            for piece in words(dumps_text(each["parameters"]))
        ]
    if calls:
        found.append(_event("tool-calls-generation", tool_calls=calls))
    if "citations" in body:
        found.append(_event("citation-generation", citations=body["citations"]))
    return [*found, _event("stream-end", last=True, response=body, finish_reason=body["finish_reason"])]


class FirstVersionDecoder(EventDecoder):
    """Reads the lines of an answer."""

    def __init__(self, request_id: str | None) -> None:
        super().__init__(request_id, JSON_LINES)
        self._body: dict[str, Any] = {}
        self._texts = 0
        """How many parts stand before the calls."""

    def take(self, event: ServerSentEvent, out: list[StreamEvent]) -> None:
        """Read one line."""
        try:
            data = loads(event.data)
        except ValueError as error:
            raise self.malformed(event.data, error) from error
        if not isinstance(data, dict):
            raise self.malformed(event.data)
        before = len(out)
        match data.get("event_type"):
            case "stream-start":
                out.append(StreamEvent("start"))
            case "text-generation":
                self._texts = 1
                out.append(StreamEvent("text", data["text"]))
            case "tool-calls-chunk":
                self._call(data["tool_call_delta"], out)
            case "stream-end":
                self._end(data, out)
        self.note(out[before:])

    def _call(self, delta: dict[str, Any], out: list[StreamEvent]) -> None:
        place = int(delta.get("index") or 0)
        if delta.get("name"):
            identity = f"call_{place + 1}"
            out.append(StreamEvent("tool_call", index=place + self._texts, id=identity, name=delta["name"]))
        if delta.get("parameters"):
            out.append(StreamEvent("tool_arguments", delta["parameters"], place + self._texts))

    def _end(self, data: dict[str, Any], out: list[StreamEvent]) -> None:
        if data.get("finish_reason") == "ERROR":
            said = data.get("response")
            words_of = said.get("text") if isinstance(said, dict) else None
            raise self.failed(_classify.classify(200, None, None, str(words_of or "the stream failed")))
        self._body = data["response"]
        answer = self.assemble()
        self.usage = answer.usage
        word = answer.raw_finish_reason
        out.append(StreamEvent("finish", finish_reason=answer.finish_reason, raw_finish_reason=word))
        out.append(StreamEvent("usage", usage=answer.usage))
        self.done = True

    def assemble(self) -> CompletionResponse:
        """Return the whole answer."""
        return decode_body(self._body, self.request_id)
