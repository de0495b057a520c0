"""OpenAI chat completions: the streamed answer as it is read, from server-sent events to types."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeGuard

from llmtest.errors import ProviderError
from llmtest.types import CompletionResponse, FinishReason, StreamEvent
from llmtest.wire._json import count, loads
from llmtest.wire.framing._event_decoder import EventDecoder
from llmtest.wire.framing._sse import ServerSentEvent
from llmtest.wire.openai.chat import _response as answers
from llmtest.wire.openai.chat._usage import decode_usage

_CHUNK_FIELDS = frozenset({"id", "object", "model", "choices", "usage", "obfuscation", "p", "error"})
_DELTA_FIELDS = frozenset({"role", "content", "refusal", "tool_calls", "function_call", *answers.REASONING_FIELDS})
_CHOICE_FIELDS = frozenset({"index", "delta", "finish_reason", "logprobs"})


class _Choice:
    """One choice while it arrives."""

    __slots__ = ("calls", "fields", "finish", "logprobs", "message", "parts", "texts")

    def __init__(self) -> None:
        self.message: dict[str, Any] = {}
        self.texts: dict[str, list[str]] = {}
        """Pieces of the message's texts: joined at the end, for a text that grows is copied with every piece."""
        self.calls: list[dict[str, Any]] = []
        self.fields: dict[str, Any] = {}
        self.logprobs: dict[str, Any] | None = None
        self.finish: str | None = None
        self.parts: dict[object, int] = {}
        """Number of the part that each field, or each tool call, has in the answer."""

    def part(self, key: object) -> int:
        """Return the number of a part, the next one where it is new."""
        return self.parts.setdefault(key, len(self.parts))

    def append(self, name: str, text: str) -> None:
        """Append to a text field."""
        self.texts.setdefault(name, []).append(text)

    def append_parts(self, parts: list[Any]) -> None:
        """Append to a content of parts; what was said before as plain text is a part of it.

        What continues the part before it becomes one with it, as a whole answer has it.
        """
        known = list(self._content_parts())
        for part in parts:
            last = known[-1] if known else None
            if _is_text(part) and _is_text(last):
                known[-1] = {**part, "text": last["text"] + part["text"]}
            elif (more := answers.thought_in(part)) is not None and (said := answers.thought_in(last)) is not None:
                known[-1] = {**(last or {}), **part, "thinking": [{"type": "text", "text": said + more}]}
            else:
                known.append(part)
        self.message["content"] = known
        self.texts.pop("content", None)

    def _content_parts(self) -> list[Any]:
        known = self.message.get("content") or []
        said = "".join(self.texts.get("content", ()))
        if said and known and _is_text(known[-1]):
            return [*known[:-1], {**known[-1], "text": known[-1]["text"] + said}]
        return [*known, {"type": "text", "text": said}] if said else known

    def body(self, index: int) -> dict[str, Any]:
        """Return the choice as a complete answer would have it."""
        message: dict[str, Any] = {"role": "assistant", "content": None, "refusal": None, "annotations": []}
        message.update(self.message)
        message.update((name, "".join(pieces)) for name, pieces in self.texts.items())
        if "content" in self.message:
            message["content"] = self._content_parts()
        if self.calls:
            message["tool_calls"] = [_whole_call(call) for call in self.calls]
        if len(self.parts) != ("content" in self.parts) and message["content"] == "":
            message["content"] = None
        return {
            "index": index,
            "message": message,
            "logprobs": self.logprobs,
            "finish_reason": self.finish,
            **self.fields,
        }


class OpenAIStreamDecoder(EventDecoder):
    """Reads the chunks of a chat completion; only the first choice is told of before the end."""

    def __init__(self, classify: Callable[[Mapping[str, Any]], ProviderError], request_id: str | None) -> None:
        super().__init__(request_id)
        self._classify = classify
        self._head: dict[str, Any] = {}
        self._extra: dict[str, Any] = {}
        self._choices: dict[int, _Choice] = {}
        self._started = False

    def take(self, event: ServerSentEvent, out: list[StreamEvent]) -> None:
        """Read one event."""
        if event.data.startswith("[DONE]"):
            self.done = True
            return
        try:
            chunk = loads(event.data)
        except ValueError as error:
            raise self.malformed(event.data, error) from error
        if not isinstance(chunk, dict):
            raise self.malformed(event.data)
        if chunk.get("error"):
            raise self.failed(self._classify(chunk))
        self._take_head(chunk, out)
        choices = chunk.get("choices")
        for choice in choices if isinstance(choices, list) else ():
            if isinstance(choice, dict):
                self._take_choice(choice, out)
        usage = chunk.get("usage")
        if isinstance(usage, dict):
            self._head["usage"] = usage
            self.usage = decode_usage(usage)
            out.append(StreamEvent("usage", usage=self.usage))

    def _take_head(self, chunk: Mapping[str, Any], out: list[StreamEvent]) -> None:
        for name, value in chunk.items():
            if name not in _CHUNK_FIELDS and (value or name not in self._extra):
                self._extra[name] = value
        for name in ("id", "model"):
            if chunk.get(name):
                self._head[name] = chunk[name]
        if not self._started and (chunk.get("id") or chunk.get("choices")):
            self._started = True
            out.append(StreamEvent("start", id=self._head.get("id"), model=self._head.get("model")))

    def _take_choice(self, raw: Mapping[str, Any], out: list[StreamEvent]) -> None:
        index = count(raw.get("index"))
        choice = self._choices.setdefault(index, _Choice())
        events: list[StreamEvent] = []
        delta = raw.get("delta")
        if isinstance(delta, dict):
            self._take_texts(choice, delta, events)
            self._take_calls(choice, delta, events)
            _take_rest(choice, delta, events)
        for name, value in raw.items():
            if name not in _CHOICE_FIELDS and (value or name not in choice.fields):
                choice.fields[name] = value
        logprobs = raw.get("logprobs")
        if isinstance(logprobs, dict):
            choice.logprobs = _merge(choice.logprobs or {}, logprobs)
        finish = raw.get("finish_reason")
        if isinstance(finish, str):
            choice.finish = finish
            reason = answers.FINISH.get(finish, FinishReason.UNKNOWN)
            if reason is FinishReason.STOP and "refusal" in choice.texts:
                reason = FinishReason.REFUSAL
            events.append(StreamEvent("finish", finish_reason=reason, raw_finish_reason=finish))
        if index == 0:
            out += events
            self.note(events)

    def _take_texts(self, choice: _Choice, delta: Mapping[str, Any], out: list[StreamEvent]) -> None:
        told = False
        for name in answers.REASONING_FIELDS:
            text = delta.get(name)
            if isinstance(text, str):
                choice.append(name, text)
                if text and not told:
                    told = True
                    out.append(StreamEvent("thinking", text, choice.part("thinking")))
        content = delta.get("content")
        if isinstance(content, str):
            choice.append("content", content)
            if content:
                out.append(StreamEvent("text", content, choice.part("content")))
        elif isinstance(content, list):
            choice.append_parts(content)
            out += [_told_by(block, choice) for block in content]
        refusal = delta.get("refusal")
        if isinstance(refusal, str) and refusal:
            choice.append("refusal", refusal)
            out.append(StreamEvent("refusal", refusal, choice.part("refusal")))

    def _take_calls(self, choice: _Choice, delta: Mapping[str, Any], out: list[StreamEvent]) -> None:
        legacy = delta.get("function_call")
        if isinstance(legacy, dict) and (answers.is_called(legacy) or "function_call" in choice.message):
            call = choice.message.get("function_call")
            part = choice.part("function_call")
            if call is None:
                call = choice.message["function_call"] = {"name": legacy.get("name") or "", "arguments": ""}
                out.append(StreamEvent("tool_call", index=part, id="", name=call["name"]))
            if legacy.get("arguments"):
                call["arguments"] += legacy["arguments"]
                out.append(StreamEvent("tool_arguments", legacy["arguments"], part))
        calls = delta.get("tool_calls")
        for raw in calls if isinstance(calls, list) else ():
            if isinstance(raw, dict):
                _take_call(choice, raw, out)

    def assemble(self) -> CompletionResponse:
        """Return the whole answer."""
        body = {
            **self._head,
            "choices": [choice.body(index) for index, choice in sorted(self._choices.items())],
            **self._extra,
        }
        return answers.decode_body(body, self.request_id)


class LenientStreamDecoder(OpenAIStreamDecoder):
    """Reads streams of servers that speak like OpenAI: the reason of the end may be the end, as for OpenAI's SDK.

    The SDK reads on until `[DONE]` or until nothing comes (`openai/_streaming.py`), so that a stream without one is
    whole to it. Here it is whole where every choice has said why it ended; what was cut off before is an error.
    """

    def close(self) -> list[StreamEvent]:
        """Say that no more bytes come; return the `end` event."""
        if self._choices and all(choice.finish is not None for choice in self._choices.values()):
            self.done = True
        return super().close()


def _take_call(choice: _Choice, raw: Mapping[str, Any], out: list[StreamEvent]) -> None:
    """Read a piece of a tool call.

    Pieces belong together by `index`. Some servers give every call the index 0, or none: there a new id begins a new
    call, and a piece without one goes on with the last.
    """
    calls, position = choice.calls, raw.get("index")
    if type(position) is int:
        calls = [call for call in calls if call["index"] == position]
    else:
        position = len(calls)
    call = next(reversed([each for each in calls if raw.get("id") in (None, "", each.get("id"))] or calls), None)
    function = raw.get("function")
    function = function if isinstance(function, dict) else None
    if call is None or (raw.get("id") and call.get("id") and raw["id"] != call["id"]):
        call = {"index": position, "id": raw.get("id") or "", **{k: _own(v) for k, v in raw.items() if k != "index"}}
        if function is not None or "type" not in raw or raw["type"] == "function":
            call["type"] = "function"
            call["function"] = {**(function or {}), "name": (function or {}).get("name") or "", "arguments": ""}
        choice.calls.append(call)
        key = (position, len(choice.calls))
        call["part"], call["pieces"] = choice.part(key), []
        if "function" in call:
            out.append(StreamEvent("tool_call", index=call["part"], id=call["id"], name=call["function"]["name"]))
        else:
            out.append(StreamEvent("opaque", index=call["part"], data=raw))
    elif function is None:
        _merge(call, {key: value for key, value in raw.items() if key not in {"index", "id", "type"}})
        out.append(StreamEvent("opaque", index=call["part"], data=raw))
    if function is not None and function.get("arguments"):
        if not isinstance(function["arguments"], str):
            raise TypeError("`arguments` of a tool call are no text")  # the event is malformed
        call["pieces"].append(function["arguments"])
        out.append(StreamEvent("tool_arguments", function["arguments"], call["part"]))


def _whole_call(call: Mapping[str, Any]) -> dict[str, Any]:
    whole = {name: value for name, value in call.items() if name not in {"index", "part", "pieces"}}
    if call["pieces"]:
        whole["function"] = {**call["function"], "arguments": "".join(call["pieces"])}
    return whole


def _is_text(block: object) -> TypeGuard[dict[str, Any]]:
    return isinstance(block, dict) and block.get("type") == "text" and isinstance(block.get("text"), str)


def _told_by(block: object, choice: _Choice) -> StreamEvent:
    """Return what a part of a content in a delta tells."""
    thought = answers.thought_in(block)
    if thought is not None:
        return StreamEvent("thinking", thought, choice.part("thinking"))
    if _is_text(block):
        return StreamEvent("text", block["text"], choice.part("content"))
    return StreamEvent("opaque", index=choice.part("content"), data={"content": [block]})


def _take_rest(choice: _Choice, delta: Mapping[str, Any], out: list[StreamEvent]) -> None:
    more = {name: value for name, value in delta.items() if name not in _DELTA_FIELDS and value not in (None, [], {})}
    if more:
        _merge(choice.message, more)
        out.append(StreamEvent("opaque", data=more))


def _merge(known: dict[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """Add a delta to what is known, in place: texts and lists grow, objects merge, the rest is replaced."""
    for name, value in more.items():
        old: Any = known.get(name)
        if isinstance(old, str) and isinstance(value, str):
            known[name] = old + value
        elif isinstance(old, list) and isinstance(value, list):
            old.extend(value)
        elif isinstance(old, dict) and isinstance(value, dict):
            _merge(old, value)
        elif value is not None or name not in known:
            known[name] = _own(value)
    return known


def _own(value: Any) -> Any:
    """Return a copy of what will grow; the event that brought it keeps what it brought."""
    if isinstance(value, dict):
        return {name: _own(item) for name, item in value.items()}
    return list(value) if isinstance(value, list) else value
