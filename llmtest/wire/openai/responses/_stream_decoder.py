"""The streamed answer, read from typed events."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from llmtest.errors import ProviderError
from llmtest.types import CompletionResponse, StreamEvent
from llmtest.wire._json import loads
from llmtest.wire.framing._event_decoder import EventDecoder
from llmtest.wire.framing._sse import ServerSentEvent
from llmtest.wire.openai.responses._response import decode_body
from llmtest.wire.openai.responses._usage import decode_usage

__all__ = ["ResponsesStreamDecoder"]

_TEXTS = {
    "response.output_text.delta": "text",
    "response.refusal.delta": "refusal",
    "response.reasoning_summary_text.delta": "thinking",
    "response.reasoning_text.delta": "thinking",
    "response.function_call_arguments.delta": "tool_arguments",
}
_WHOLE = {
    "response.output_text.done": ("text", "text"),
    "response.refusal.done": ("refusal", "refusal"),
    "response.reasoning_summary_text.done": ("thinking", "text"),
    "response.reasoning_text.done": ("thinking", "text"),
    "response.function_call_arguments.done": ("tool_arguments", "arguments"),
}
_SAID_AGAIN = frozenset({"response.content_part.done", "response.reasoning_summary_part.done", "response.queued"})
_ENDS = frozenset({"response.completed", "response.incomplete", "response.failed", "response.cancelled"})


class ResponsesStreamDecoder(EventDecoder):
    """Reads the events of a response.

    Args:
        classify: Reads an error that came as an event.
        request_id: The provider's id of the request.
    """

    def __init__(self, classify: Callable[[Mapping[str, Any]], ProviderError], request_id: str | None) -> None:
        super().__init__(request_id)
        self._classify = classify
        self._body: dict[str, Any] = {}
        self._items: dict[int, dict[str, Any]] = {}
        self._numbers: dict[tuple[Any, ...], int] = {}
        """Number of the part that each piece of an item has in the answer."""
        self._told: set[tuple[Any, ...]] = set()

    def take(self, event: ServerSentEvent, out: list[StreamEvent]) -> None:
        """Read one event."""
        if event.data.startswith("[DONE]"):
            return
        try:
            data = loads(event.data)
        except ValueError as error:
            raise self.malformed(event.data, error) from error
        if not isinstance(data, dict):
            raise self.malformed(event.data)
        before = len(out)
        self._take(data, data.get("type") or event.event, out)
        self.note(out[before:])

    def _take(self, data: dict[str, Any], kind: str, out: list[StreamEvent]) -> None:
        if kind in _TEXTS:
            self._take_piece(data, _TEXTS[kind], data["delta"], out)
        elif kind in _WHOLE:
            name, field = _WHOLE[kind]
            if (name, *_place(data)) not in self._told:
                self._take_piece(data, name, data.get(field) or "", out)
        elif kind == "response.output_item.added":
            self._take_item(data, out)
        elif kind == "response.output_item.done":
            self._items[data["output_index"]] = data["item"]
        elif kind in _ENDS:
            self._take_end(data["response"], out)
        elif kind == "error" or (data.get("error") and not kind.startswith("response.")):
            raise self.failed(self._classify(data))
        else:
            self._take_rest(data, kind, out)

    def _take_rest(self, data: dict[str, Any], kind: str, out: list[StreamEvent]) -> None:
        if kind == "response.created":
            response = data["response"]
            out.append(StreamEvent("start", id=response.get("id"), model=response.get("model")))
        elif kind == "response.content_part.added":
            self._number(data["output_index"], data.get("content_index"))
        elif kind == "response.reasoning_summary_part.added":
            if data.get("summary_index"):
                out.append(StreamEvent("thinking", "\n\n", self._number(data["output_index"])))
        elif kind != "response.in_progress" and kind not in _SAID_AGAIN:
            out.append(StreamEvent("opaque", data=data))

    def _take_piece(self, data: Mapping[str, Any], name: str, text: str, out: list[StreamEvent]) -> None:
        if not isinstance(text, str):
            raise TypeError(f"`{name}` is no text")  # the event is malformed
        self._told.add((name, *_place(data)))
        in_message = name in ("text", "refusal")
        number = self._number(data["output_index"], data.get("content_index") if in_message else None)
        if text:
            out.append(StreamEvent(name, text, number))  # type: ignore[arg-type]  # one of the kinds above

    def _take_item(self, data: Mapping[str, Any], out: list[StreamEvent]) -> None:
        item, place = data["item"], data["output_index"]
        kind = item.get("type")
        if kind == "message":
            return
        number = self._number(place)
        if kind == "function_call":
            out.append(StreamEvent("tool_call", index=number, id=item.get("call_id"), name=item.get("name")))
        elif kind != "reasoning":
            out.append(StreamEvent("opaque", index=number, data=data))

    def _take_end(self, response: dict[str, Any], out: list[StreamEvent]) -> None:
        if response.get("status") == "failed" or (response.get("error") and not response.get("output")):
            self.usage = decode_usage(response.get("usage")) if response.get("usage") else self.usage
            raise self.failed(self._classify(response))
        self._body = response
        if not response.get("output") and self._items:
            # Some servers end with an empty list, although they told of the items before.
            self._body = {**response, "output": [item for _, item in sorted(self._items.items())]}
        whole = decode_body(self._body, self.request_id)
        self.usage = whole.usage
        self.done = True
        finish, raw = whole.finish_reason, whole.raw_finish_reason
        out.append(StreamEvent("finish", finish_reason=finish, raw_finish_reason=raw))
        out.append(StreamEvent("usage", usage=whole.usage))

    def _number(self, *place: Any) -> int:
        return self._numbers.setdefault(place, len(self._numbers))

    def assemble(self) -> CompletionResponse:
        """Return the whole answer."""
        return decode_body(self._body, self.request_id)


def _place(data: Mapping[str, Any]) -> tuple[Any, ...]:
    return data.get("output_index"), data.get("content_index"), data.get("summary_index")
