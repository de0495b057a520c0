"""An API that is described by a mapping: which field of a request and an answer holds what, as dotted paths.

`custom_dialect("corp", {...})` gives a record like any other: a provider of our own layer asks by it, and registered it
is simulated, intercepted and recorded. A path names keys and positions: `choices.0.text`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from typing import Any, Literal

from llmtest.errors import (
    ConfigurationError,
    EmptyResponseError,
    InvalidRequestError,
    InvalidResponseError,
    NotSupportedError,
)
from llmtest.types import (
    UNKNOWN_USAGE,
    ChatMessage,
    CompletionRequest,
    CompletionResponse,
    FinishReason,
    StreamEvent,
    TextPart,
    Usage,
)
from llmtest.wire._dialect import Dialect
from llmtest.wire._endpoint import Endpoint
from llmtest.wire._records import ResponseMeta, WireCall, WireFormatError, WireRequest
from llmtest.wire.framing import NDJSON, SSE, EventDecoder, ServerSentEvent, frame

__all__ = ["CustomFields", "custom_dialect"]

JSON = (("content-type", "application/json"),)
DONE = "[DONE]"
REASONS = {
    "stop": FinishReason.STOP,
    "end": FinishReason.STOP,
    "end_turn": FinishReason.STOP,
    "eos": FinishReason.STOP,
    "length": FinishReason.LENGTH,
    "max_tokens": FinishReason.LENGTH,
    "content_filter": FinishReason.CONTENT_FILTER,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomFields:
    """Which field holds what; a path is dotted, and None means that the API has no such field.

    Args:
        path: Path of the URL below the base URL; `""` asks the base URL itself.
        model_field: The model asked for.
        prompt_field: The conversation as one text; without it `messages_field` is written.
        messages_field: The conversation as a list of `{"role", "content"}`.
        system_field: The system prompt; without it it is the beginning of the prompt.
        max_tokens_field: Most tokens of an answer.
        temperature_field: The temperature.
        stop_field: Texts that end an answer.
        stream_field: Whether the answer is to be streamed; without it nothing is streamed.
        body: Further fields of every request, as they are.
        response_field: The text of an answer.
        finish_field: Why it ended, in the API's word.
        input_tokens_field: Tokens of the prompt.
        output_tokens_field: Tokens of the answer.
        answer_model_field: The model that answered.
        id_field: The API's id of the answer.
        stream_response_field: The text in an event of a stream; by default as `response_field`.
        stream_format: `sse` (a stream ends with `data: [DONE]`) or `ndjson` (it ends with a line whose `finish_field`,
            or `done`, says so).

    Raises:
        ConfigurationError: Neither a prompt nor messages have a field, or a stream has an unknown format.
    """

    path: str = "/v1/complete"
    model_field: str | None = "model"
    prompt_field: str | None = None
    messages_field: str | None = None
    system_field: str | None = None
    max_tokens_field: str | None = None
    temperature_field: str | None = None
    stop_field: str | None = None
    stream_field: str | None = None
    body: Mapping[str, Any] = field(default_factory=dict)
    response_field: str = "result"
    finish_field: str | None = None
    input_tokens_field: str | None = None
    output_tokens_field: str | None = None
    answer_model_field: str | None = None
    id_field: str | None = None
    stream_response_field: str | None = None
    stream_format: Literal["sse", "ndjson"] = "sse"

    def __post_init__(self) -> None:
        if self.prompt_field is None and self.messages_field is None:
            object.__setattr__(self, "prompt_field", "prompt")
        if self.stream_format not in {"sse", "ndjson"}:
            raise ConfigurationError(f"stream_format is `sse` or `ndjson`, got `{self.stream_format}`")
        if self.path and not self.path.startswith("/"):
            object.__setattr__(self, "path", f"/{self.path}")

    @classmethod
    def of(cls, mapping: Mapping[str, Any]) -> CustomFields:
        """Return the fields that a mapping names.

        Raises:
            ConfigurationError: A key is unknown.
        """
        known = [each.name for each in fields(cls)]
        for key in mapping:
            if key not in known:
                near = get_close_matches(key, known, n=1)
                hint = f" Did you mean `{near[0]}`?" if near else ""
                raise ConfigurationError(f"a custom API has no `{key}`.{hint}\nKnown keys: {', '.join(known)}.")
        return cls(**mapping)


def custom_dialect(name: str, mapping: Mapping[str, Any] | CustomFields, *, base_url: str | None = None) -> Dialect:
    """Return the record of an API that a mapping describes.

    Args:
        name: What files, traces and handles call it: lower-case letters, digits, `_`.
        mapping: The arguments of `CustomFields` by name.
        base_url: Its address.

    Raises:
        ConfigurationError: The mapping has a key that nothing is known of.
        ValueError: The name is none.

    Example:
        >>> custom_dialect("corp", {"prompt_field": "input_text", "response_field": "generated_text"})
        <dialect `corp`: 1 endpoints>
    """
    codec = _Codec(mapping if isinstance(mapping, CustomFields) else CustomFields.of(mapping))
    streams = codec.fields.stream_field is not None
    endpoint = Endpoint(
        "chat",
        "POST",
        codec.fields.path,
        gives="completion",
        decode_call=codec.decode_call,
        encode_answer=codec.encode_answer,
        encode_call=codec.encode_call,
        decode_answer=codec.decode_answer,
        refuse_unsayable=codec.refuse_unsayable,
        framing=NDJSON if codec.fields.stream_format == "ndjson" else SSE,
        encode_stream=codec.encode_stream if streams else None,
        stream_decoder=(lambda _headers: _Decoder(codec)) if streams else None,
    )
    return Dialect(name, base_url=base_url, endpoints=(endpoint,), is_provider=False)


def _read(data: Any, path: str | None) -> Any:
    """Return what a dotted path leads to; None where it leads nowhere."""
    if path is None:
        return None
    for part in path.split("."):
        if isinstance(data, Mapping):
            data = data.get(part)
        elif isinstance(data, list) and part.isdigit() and int(part) < len(data):
            data = data[int(part)]
        else:
            return None
    return data


def _write(data: dict[str, Any], path: str | None, value: Any) -> None:
    """Put a value where a dotted path leads to; a position makes a list."""
    if path is None or value is None:
        return
    parts = path.split(".")
    place: Any = data
    for part, following in zip(parts, [*parts[1:], None], strict=True):
        new = value if following is None else [] if following.isdigit() else {}
        if isinstance(place, list):
            while len(place) <= int(part):
                place.append(type(new)() if following is not None else None)
            place[int(part)] = new if following is None or not place[int(part)] else place[int(part)]
            place = place[int(part)]
        else:
            place[part] = value if following is None else place.get(part, new)
            place = place[part]


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        raise InvalidResponseError(
            f"the answer is not JSON: {body[:80].decode(errors='replace')}", status=200, body=body
        ) from None


class _Codec:
    """Both halves of the one endpoint."""

    def __init__(self, fields: CustomFields) -> None:
        self.fields = fields

    def refuse_unsayable(self, request: CompletionRequest) -> None:
        """Refuse what the mapping names no field for and what would change the answer."""
        known = self.fields
        wanted = {
            "tools": bool(request.tools),
            "stop_sequences": bool(request.stop_sequences) and known.stop_field is None,
            "temperature": request.temperature is not None and known.temperature_field is None,
            "max_tokens": request.max_tokens is not None and known.max_tokens_field is None,
            "response_format": request.response_format is not None and request.response_format.type != "text",
            "n": (request.n or 1) > 1,
        }
        for name, is_wanted in wanted.items():
            if is_wanted:
                fix = f"; its mapping may name one: `{name.removesuffix('_sequences')}_field`"
                named = name in {"stop_sequences", "temperature", "max_tokens"}
                raise NotSupportedError(f"a custom API without a field for `{name}`{fix if named else ''}")

    def encode_call(self, request: CompletionRequest, *, stream: bool) -> WireRequest:
        """Write a request."""
        known = self.fields
        self.refuse_unsayable(request)
        if stream and known.stream_field is None:
            raise NotSupportedError(
                "a custom API without a field for streams; its mapping may name one: `stream_field`"
            )
        body: dict[str, Any] = json.loads(json.dumps(dict(known.body)))
        _write(body, known.model_field, request.model)
        systems = [message.text for message in request.messages if message.role == "system"]
        said = [message for message in request.messages if message.role != "system" or known.system_field is None]
        if known.system_field is not None and systems:
            _write(body, known.system_field, "\n\n".join(systems))
        if known.messages_field is not None:
            _write(body, known.messages_field, [{"role": each.role, "content": each.text} for each in said])
        else:
            _write(body, known.prompt_field, "\n\n".join(each.text for each in said))
        _write(body, known.max_tokens_field, request.max_tokens)
        _write(body, known.temperature_field, request.temperature)
        _write(body, known.stop_field, list(request.stop_sequences) or None)
        if stream:
            _write(body, known.stream_field, True)
        return WireRequest("POST", known.path, JSON, json.dumps(body, ensure_ascii=False).encode())

    def decode_call(
        self, endpoint: Endpoint, headers: Mapping[str, str], body: bytes, parameters: Mapping[str, str]
    ) -> WireCall:
        """Read a request."""
        del parameters
        known = self.fields
        try:
            asked = json.loads(body)
            messages = self._messages(asked)
            request = CompletionRequest(
                messages=messages,
                model=_read(asked, known.model_field),
                max_tokens=_read(asked, known.max_tokens_field),
                temperature=_read(asked, known.temperature_field),
                stop_sequences=tuple(_read(asked, known.stop_field) or ()),
                stream=_read(asked, known.stream_field) is True,
            )
        except (ValueError, TypeError, KeyError, ConfigurationError) as error:
            raise WireFormatError(InvalidRequestError(f"cannot be read: {error}", status=400)) from None
        return WireCall(endpoint, request, request.model, request.stream, endpoint.dialect.read_key(headers))

    def _messages(self, asked: Any) -> tuple[ChatMessage, ...]:
        known = self.fields
        system = _read(asked, known.system_field)
        found = [] if system is None else [ChatMessage("system", system)]
        if known.messages_field is not None:
            found += [ChatMessage(each["role"], each["content"]) for each in _read(asked, known.messages_field) or ()]
        else:
            prompt = _read(asked, known.prompt_field)
            if not isinstance(prompt, str):
                raise ConfigurationError(f"the field `{known.prompt_field}` is missing")
            found.append(ChatMessage("user", prompt))
        return tuple(found)

    def encode_answer(self, response: CompletionResponse, call: WireCall, meta: ResponseMeta) -> bytes:
        """Write an answer."""
        del call
        return json.dumps(self._said(response, self.fields.response_field, meta), ensure_ascii=False).encode()

    def _said(self, response: CompletionResponse, text_field: str | None, meta: ResponseMeta) -> dict[str, Any]:
        known = self.fields
        said: dict[str, Any] = {}
        _write(said, known.id_field, response.id or meta.id)
        _write(said, text_field, response.content or "")
        _write(said, known.finish_field, str(response.finish_reason or FinishReason.STOP))
        _write(said, known.input_tokens_field, response.usage.input_tokens)
        _write(said, known.output_tokens_field, response.usage.output_tokens)
        _write(said, known.answer_model_field, response.model)
        return said

    def decode_answer(self, body: bytes, headers: Mapping[str, str]) -> CompletionResponse:
        """Read an answer."""
        del headers
        if not body.strip():
            raise EmptyResponseError("the answer has no body", status=200, body=body)
        said = _json(body)
        text = _read(said, self.fields.response_field)
        if not isinstance(text, str):
            raise InvalidResponseError(
                f"the answer has no text at `{self.fields.response_field}`: {body[:80].decode(errors='replace')}",
                status=200,
                body=body,
            )
        return self.answer(text, said)

    def answer(self, text: str, said: Any) -> CompletionResponse:
        """Return an answer of its text, and of what is said beside it."""
        known = self.fields
        tokens = [_read(said, path) for path in (known.input_tokens_field, known.output_tokens_field)]
        usage = Usage(*tokens) if all(type(each) is int for each in tokens) else UNKNOWN_USAGE
        word = _read(said, known.finish_field)
        reason = FinishReason.STOP if word is None else REASONS.get(str(word).lower(), FinishReason.UNKNOWN)
        return CompletionResponse(
            parts=(TextPart(text),) if text else (),
            finish_reason=reason,
            raw_finish_reason=None if word is None else str(word),
            model=_read(said, known.answer_model_field),
            id=_read(said, known.id_field),
            usage=usage,
        )

    def encode_stream(
        self, response: CompletionResponse, call: WireCall, meta: ResponseMeta, chunks: Sequence[str] | None
    ) -> list[bytes]:
        """Write a streamed answer."""
        del call
        known = self.fields
        text = response.content or ""
        words = text.split(" ")
        pieces = [f"{word} " for word in words[:-1]] + words[-1:] if chunks is None else list(chunks)
        where = known.stream_response_field or known.response_field
        events: list[dict[str, Any]] = []
        for piece in pieces:
            event: dict[str, Any] = {}
            _write(event, where, piece)
            events.append(event)
        last = self._said(response, None, meta)
        if known.stream_format == "ndjson":
            lines = [*events, {**last, "done": True}]
            return [json.dumps(line, ensure_ascii=False).encode() + b"\n" for line in lines]
        data = [json.dumps(event, ensure_ascii=False) for event in ([*events, last] if last else events)]
        return [frame(each) for each in (*data, DONE)]


class _Decoder(EventDecoder):
    """Reads a streamed answer."""

    def __init__(self, codec: _Codec) -> None:
        super().__init__(None, NDJSON if codec.fields.stream_format == "ndjson" else SSE)
        self._codec = codec
        self._last: dict[str, Any] = {}

    def take(self, event: ServerSentEvent, out: list[StreamEvent]) -> None:
        """Read one event."""
        if event.data.strip() == DONE:
            self.done = True
            return
        said = json.loads(event.data)
        if isinstance(said.get("error"), str | dict):
            text = said["error"] if isinstance(said["error"], str) else str(said["error"].get("message", ""))
            raise self.failed(InvalidResponseError(text, status=200, body=event.data.encode()))
        known = self._codec.fields
        text = _read(said, known.stream_response_field or known.response_field)
        if isinstance(text, str) and text:
            found = StreamEvent("text", text)
            self.note([found])
            out.append(found)
        ends = said.get("done") is True or (known.finish_field is not None and _read(said, known.finish_field))
        if ends or any(_read(said, path) is not None for path in (known.input_tokens_field, known.output_tokens_field)):
            self._last = said
        if known.stream_format == "ndjson" and ends:
            self.done = True

    def assemble(self) -> CompletionResponse:
        """Return the whole answer."""
        return self._codec.answer("".join(self._text), self._last)
