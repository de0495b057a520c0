"""A streamed answer of Converse: binary messages whose headers say which event each is.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llmtest.types import CompletionResponse, FinishReason, StreamEvent
from llmtest.wire._json import dumps, dumps_text, loads
from llmtest.wire._records import ResponseMeta, WireCall
from llmtest.wire.bedrock._errors import decode_stream_error
from llmtest.wire.bedrock.converse._answer import FINISH, decode_body, decode_usage, stop_word, tail
from llmtest.wire.bedrock.converse._blocks import encode_blocks
from llmtest.wire.framing import TYPED_EVENT_STREAM, EventDecoder, ServerSentEvent, event_message, words

__all__ = ["ConverseStreamDecoder", "encode_stream"]


def encode_stream(
    response: CompletionResponse, call: WireCall, meta: ResponseMeta, chunks: Sequence[str] | None
) -> list[bytes]:
    """Write a streamed answer, one element per event."""
    del call
    found = [_event("messageStart", role="assistant")]
    for place, block in enumerate(encode_blocks(response.parts)):
        call_of = block.get("toolUse")
        if call_of is not None:
            start = {name: value for name, value in call_of.items() if name != "input"}
            found.append(_event("contentBlockStart", contentBlockIndex=place, start={"toolUse": start}))
        found += [_event("contentBlockDelta", contentBlockIndex=place, delta=each) for each in _deltas(block, chunks)]
        found.append(_event("contentBlockStop", contentBlockIndex=place))
    found.append(_event("messageStop", stopReason=stop_word(response)))
    return [*found, _event("metadata", **tail(response, meta))]


def _event(kind: str, **fields: Any) -> bytes:
    return event_message(dumps(fields), kind)


def _deltas(block: dict[str, Any], chunks: Sequence[str] | None) -> list[dict[str, Any]]:
    """Cut a block into pieces."""
    if "text" in block:
        own = chunks is not None and "".join(chunks) == block["text"]
        return [{"text": piece} for piece in (chunks if own and chunks is not None else words(block["text"]))]
    if "toolUse" in block:
        given = block["toolUse"]["input"]
        arguments = given if isinstance(given, str) else dumps_text(given)
        return [{"toolUse": {"input": piece}} for piece in words(arguments)]
    thought = block.get("reasoningContent")
    if thought is None:
        return [block]
    if "redactedContent" in thought:
        return [{"reasoningContent": thought}]
    told = thought["reasoningText"]
    pieces = [{"reasoningContent": {"text": piece}} for piece in words(told["text"])]
    return [*pieces, *([{"reasoningContent": {"signature": told["signature"]}}] if "signature" in told else [])]


class ConverseStreamDecoder(EventDecoder):
    """Reads the events of an answer."""

    def __init__(self, request_id: str | None) -> None:
        super().__init__(request_id, TYPED_EVENT_STREAM)
        self._body: dict[str, Any] = {}
        self._blocks: dict[int, dict[str, Any]] = {}

    def take(self, event: ServerSentEvent, out: list[StreamEvent]) -> None:
        """Read one event."""
        try:
            data = loads(event.data)
        except ValueError as error:
            raise self.malformed(event.data, error) from error
        if not isinstance(data, dict):
            raise self.malformed(event.data)
        if event.event == "error":
            raise self.failed(decode_stream_error(data))
        before = len(out)
        place = data.get("contentBlockIndex", 0)
        match event.event:
            case "messageStart":
                out.append(StreamEvent("start"))
            case "contentBlockStart":
                call = data["start"].get("toolUse")
                if call is not None:
                    self._blocks[place] = {"toolUse": {**call, "input": ""}}
                    identity, name = call.get("toolUseId"), call.get("name")
                    out.append(StreamEvent("tool_call", index=place, id=identity, name=name))
            case "contentBlockDelta":
                self._append(place, data["delta"], out)
            case "messageStop":
                self._stop(data, out)
            case "metadata":
                self._body.update(data)
                self.usage = decode_usage(data.get("usage"))
                out.append(StreamEvent("usage", usage=self.usage))
                self.done = True
        self.note(out[before:])

    def _append(self, place: int, delta: dict[str, Any], out: list[StreamEvent]) -> None:
        if "text" in delta:
            block = self._blocks.setdefault(place, {"text": ""})
            block["text"] += delta["text"]
            out.append(StreamEvent("text", delta["text"], place))
        elif "toolUse" in delta:
            self._blocks[place]["toolUse"]["input"] += delta["toolUse"]["input"]
            out.append(StreamEvent("tool_arguments", delta["toolUse"]["input"], place))
        elif "reasoningContent" in delta:
            self._think(place, delta["reasoningContent"], out)
        else:
            self._blocks[place] = dict(delta)
            out.append(StreamEvent("opaque", index=place, data=delta))

    def _think(self, place: int, told: dict[str, Any], out: list[StreamEvent]) -> None:
        if "redactedContent" in told:
            self._blocks[place] = {"reasoningContent": told}
            return
        block = self._blocks.setdefault(place, {"reasoningContent": {"reasoningText": {"text": ""}}})
        thought = block["reasoningContent"]["reasoningText"]
        if "text" in told:
            thought["text"] += told["text"]
            out.append(StreamEvent("thinking", told["text"], place))
        else:
            thought["signature"] = thought.get("signature", "") + told["signature"]
            out.append(StreamEvent("signature", told["signature"], place))

    def _stop(self, data: dict[str, Any], out: list[StreamEvent]) -> None:
        word = data.get("stopReason")
        self._body.update(data)
        if isinstance(word, str):
            reason = FINISH.get(word, FinishReason.UNKNOWN)
            out.append(StreamEvent("finish", finish_reason=reason, raw_finish_reason=word))

    def assemble(self) -> CompletionResponse:
        """Return the whole answer."""
        content = [self._blocks[place] for place in sorted(self._blocks)]
        body = {**self._body, "output": {"message": {"role": "assistant", "content": content}}}
        return decode_body(body, self.request_id)
