"""Providers that speak like OpenAI, each with its own ways: what differs is data, and the rest is OpenAI's."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from llmtest.types import CompletionRequest, CompletionResponse, StreamEvent, Usage
from llmtest.wire._dialect import Dialect, Variables
from llmtest.wire._endpoint import Endpoint
from llmtest.wire._headers import header
from llmtest.wire._json import dump_text, dumps, loads
from llmtest.wire._records import ResponseMeta, StreamDecoder, WireCall, WireRequest
from llmtest.wire._vocabulary import Vocabulary
from llmtest.wire.framing._sse import ServerSentEvent
from llmtest.wire.openai import _errors
from llmtest.wire.openai._bodies import NAME, asked
from llmtest.wire.openai._chat import CHAT
from llmtest.wire.openai._dialect import COMPATIBLE
from llmtest.wire.openai._embeddings import EMBEDDINGS
from llmtest.wire.openai._models import MODEL, MODELS
from llmtest.wire.openai.chat import _response, _stream, _stream_writer
from llmtest.wire.openai.chat._answer_in_kind import in_kind
from llmtest.wire.openai.chat._usage import decode_usage

__all__ = ["Ways", "error_body", "relative"]

_REASONING = '"reasoning_content":'
_FINISHED = re.compile(rb'"finish_reason":"\w')


@dataclass(frozen=True, slots=True)
class Ways:
    """What Chat Completions are like where a provider differs from OpenAI.

    Args:
        usage: Writes usage in its words; None: in OpenAI's.
        usage_at_the_end: Whether every stream tells its usage, in the chunk that has the reason of the end.
        reasoning: The field that thoughts are in.
        renamed: What a request calls something, by OpenAI's name: `{"seed": "random_seed"}`.
        dropped: Fields of OpenAI's that its requests have not.
        more: Writes what an answer says beside, at its top level.
        first: Writes what the first chunk of a stream says beside.
        last: Writes what the last chunk says beside, of usage too.
        aside: A field of chunks in which usage is told, whether it was asked for or not.
        ends_without_done: Whether a stream ends with the reason of the end, and no `[DONE]` follows.
        whole_calls: Whether a stream has each call of a tool in one piece.
        thinking_parts: Whether thoughts are parts of the content, and not in a field of their own.
        check: Refuses what the provider refuses of a request that OpenAI's types let pass.
    """

    usage: Callable[[Usage], Mapping[str, Any]] | None = None
    usage_at_the_end: bool = False
    reasoning: str = "reasoning_content"
    renamed: Mapping[str, str] | None = None
    dropped: tuple[str, ...] = ()
    more: Callable[[CompletionResponse, ResponseMeta], Mapping[str, Any]] | None = None
    first: Callable[[ResponseMeta], Mapping[str, Any]] | None = None
    last: Callable[[ResponseMeta, Mapping[str, Any] | None], Mapping[str, Any]] | None = None
    aside: str | None = None
    ends_without_done: bool = False
    whole_calls: bool = False
    thinking_parts: bool = False
    check: Callable[[Mapping[str, Any]], None] | None = None


def error_body(message: str, kind: str | None, code: str | None, **more: Any) -> dict[str, Any]:
    """Write an error with the four fields of OpenAI's, and what a provider has beside."""
    return {"error": {"message": message, "type": kind, "param": None, "code": code, **more}}


def _is_read(response: CompletionResponse) -> bool:
    """Whether an answer is said again as it was read from somebody."""
    return "created" in response.extra_for(NAME)


def _usage_of(response: CompletionResponse, ways: Ways) -> Mapping[str, Any] | None:
    """Return the usage to write: the one that was read, where it still says the same."""
    raw = response.extra_for(NAME).get("usage")
    if ways.usage is None or (isinstance(raw, dict) and decode_usage(raw) == response.usage):
        return _response.usage_body(response)
    return None if response.usage.source == "unknown" else ways.usage(response.usage)


class _Chat:
    """Chat Completions with a provider's ways."""

    def __init__(self, ways: Ways) -> None:
        self._ways = ways

    def decode_call(
        self, endpoint: Endpoint, headers: Mapping[str, str], body: bytes, parameters: Mapping[str, str]
    ) -> WireCall:
        """Read a request."""
        ways = self._ways
        given = body
        if ways.renamed:
            parsed = asked(body)
            own = {theirs: name for name, theirs in ways.renamed.items()}
            if not own.keys().isdisjoint(parsed):
                body = dumps({own.get(name, name): value for name, value in parsed.items()})
        call = CHAT.decode_call(endpoint, headers, body, parameters)
        if ways.check is not None:
            ways.check(asked(given))
        return call

    def encode_call(self, request: CompletionRequest, *, stream: bool) -> WireRequest:
        """Write a request."""
        wire = CHAT.encode_call(request, stream=stream)
        renamed, dropped = self._ways.renamed or {}, self._ways.dropped
        if not renamed and not dropped:
            return wire
        body = loads(wire.body)
        if renamed.keys().isdisjoint(body) and set(dropped).isdisjoint(body):
            return wire
        kept = {renamed.get(name, name): value for name, value in body.items() if name not in dropped}
        return replace(wire, body=dumps(kept))

    def encode_answer(self, response: CompletionResponse, call: WireCall, meta: ResponseMeta) -> bytes:
        """Write a complete answer."""
        ways = self._ways
        if call.shaping:
            response = in_kind(response, call.shaping)
        body = _response.encode_body(response, meta, is_openai=False)
        usage = _usage_of(response, ways)
        if usage is not None:
            body["usage"] = usage
        if _is_read(response):
            return dumps(body)
        for choice in body["choices"]:
            message = choice.get("message", {})
            if ways.thinking_parts and "reasoning_content" in message:
                said = message["content"]
                rest = [{"type": "text", "text": said}] if isinstance(said, str) else said or []
                message["content"] = [{**_thinking(message.pop("reasoning_content")), "closed": True}, *rest]
            if ways.reasoning not in message and "reasoning_content" in message:
                message[ways.reasoning] = message.pop("reasoning_content")
        if ways.more is not None:
            body.update(ways.more(response, meta))
        return dumps(body)

    def encode_stream(
        self, response: CompletionResponse, call: WireCall, meta: ResponseMeta, chunks: Sequence[str] | None
    ) -> list[bytes]:
        """Write a streamed answer, one element per event."""
        ways = self._ways
        if ways.usage_at_the_end:
            call.include_usage = False  # It is told anyway, and in one place.
        found = _stream_writer.encode_stream(response, call, meta, chunks)
        usage = _usage_of(response, ways)
        if call.include_usage and usage is not None and ways.usage is not None:
            found[-2] = _with(_without_usage(found[-2]), {"usage": usage})
        end = max((place for place, event in enumerate(found) if _FINISHED.search(event)), default=0)
        late: dict[str, Any] = {}
        if ways.usage_at_the_end and usage is not None:
            late["usage"] = usage
        if not _is_read(response):
            found[0] = _with(found[0], ways.first(meta) if ways.first is not None else {})
            late.update(ways.last(meta, usage) if ways.last is not None else {})
            late.update(ways.more(response, meta) if ways.more is not None else {})
            found = [self._renamed(event) for event in found]
        found[end] = _with(found[end], late)
        if ways.whole_calls:
            found = _with_whole_calls(found)
        return found[:-1] if ways.ends_without_done else found

    def _renamed(self, event: bytes) -> bytes:
        """Return an event whose thoughts are in the provider's field; quotes of texts are escaped, so none matches."""
        if self._ways.thinking_parts and b'"delta":{' + _REASONING.encode() in event:
            chunk = loads(event[6:])
            for choice in chunk["choices"]:
                choice["delta"] = {"content": [_thinking(choice["delta"]["reasoning_content"])]}
            return f"data: {dump_text(chunk)}\n\n".encode()
        if self._ways.reasoning == "reasoning_content":
            return event
        return event.replace(b'"delta":{' + _REASONING.encode(), f'"delta":{{"{self._ways.reasoning}":'.encode(), 1)

    def stream_decoder(self, headers: Mapping[str, str] | None) -> StreamDecoder:
        """Start to read a streamed answer."""
        request_id = header(headers, "x-request-id") if headers else None
        if self._ways.aside is not None:
            return _ToldAside(self._ways.aside, request_id)
        kind = _EndsWithItsReason if self._ways.ends_without_done else _stream.OpenAIStreamDecoder
        return kind(_errors.decode_stream_error, request_id)


def _thinking(text: str) -> dict[str, Any]:
    """Write thoughts as a part of a content."""
    return {"type": "thinking", "thinking": [{"type": "text", "text": text}]}


def _with(event: bytes, fields: Mapping[str, Any]) -> bytes:
    """Return an event with more fields at its end."""
    if not fields:
        return event
    more = "".join(f",{dump_text(name)}:{dump_text(value)}" for name, value in fields.items())
    return event.rstrip(b"\n")[:-1] + more.encode() + b"}\n\n"


def _without_usage(event: bytes) -> bytes:
    chunk = {name: value for name, value in loads(event[6:]).items() if name != "usage"}
    return f"data: {dump_text(chunk)}\n\n".encode()


def _with_whole_calls(events: Sequence[bytes]) -> list[bytes]:
    """Return events in which each call of a tool is told once, with all of its arguments."""
    found: list[dict[str, Any] | bytes] = []
    begun: dict[tuple[int, int], dict[str, Any]] = {}
    for event in events:
        if b'"delta":{"tool_calls":' not in event:
            found.append(event)
            continue
        chunk = loads(event[6:])
        (choice,) = chunk["choices"]
        (piece,) = choice["delta"]["tool_calls"]
        key = (choice["index"], piece["index"])
        if key in begun:
            begun[key]["function"]["arguments"] += piece["function"]["arguments"]
            continue
        begun[key] = piece
        found.append(chunk)
    return [each if isinstance(each, bytes) else f"data: {dump_text(each)}\n\n".encode() for each in found]


class _ToldAside(_stream.OpenAIStreamDecoder):
    """Reads a stream whose usage is told in another field, too."""

    def __init__(self, aside: str, request_id: str | None) -> None:
        super().__init__(_errors.decode_stream_error, request_id)
        self._aside = aside

    def _take_head(self, chunk: Mapping[str, Any], out: list[StreamEvent]) -> None:
        told = chunk.get(self._aside)
        if isinstance(told, dict) and isinstance(chunk, dict) and not chunk.get("usage"):
            chunk["usage"] = told.get("usage")
        super()._take_head(chunk, out)


class _EndsWithItsReason(_stream.OpenAIStreamDecoder):
    """Reads a stream that nothing ends but the reason of its end."""

    def take(self, event: ServerSentEvent, out: list[StreamEvent]) -> None:
        """Read one event."""
        before = len(out)
        super().take(event, out)
        self.done = self.done or any(each.kind == "finish" for each in out[before:])


def relative(
    name: str,
    *,
    title: str,
    base_url: str,
    hosts: tuple[str, ...],
    roots: tuple[str, ...],
    variables: Variables,
    ways: Ways | None = None,
    default_model: str | None = None,
    needs_key: bool = True,
    vocabulary: Vocabulary | None = None,
    more: tuple[Endpoint, ...] = (),
    **spoken: Any,
) -> Dialect:
    """Make the record of a provider that speaks like OpenAI.

    Args:
        name: What files and handles call it.
        title: What a sentence calls it.
        base_url: Where a provider of our own layer asks it.
        hosts: Where it is reached.
        roots: Parts of its address below which it is spoken, the usual one first; an empty one is any path.
        variables: Its variables of the environment.
        ways: How its Chat Completions differ.
        default_model: The model that is asked for where nobody names one.
        needs_key: Whether a provider refuses to be made without a key, and its variable gets a dummy in tests.
        vocabulary: The words of its failures.
        more: Endpoints that it has beside chat, embeddings and models, or instead of these where the paths are theirs.
        spoken: What else `Dialect` takes, where it is not as with everybody: `errors`, `head`, `write_limits`,
            `usual_limits`, `over_quota`, `response_id`, `tool_call_id`, `telemetry_name`.
    """
    chat = _Chat(ways or Ways())
    endpoints = (
        CHAT.at(
            CHAT.pattern,
            decode_call=chat.decode_call,
            encode_call=chat.encode_call,
            encode_answer=chat.encode_answer,
            encode_stream=chat.encode_stream,
            stream_decoder=chat.stream_decoder,
        ),
        *(each for each in (EMBEDDINGS, MODELS, MODEL) if each.pattern not in {other.pattern for other in more}),
        *more,
    )
    shared = ("errors", "response_id", "read_limits", "settings")
    usual = {key: getattr(COMPATIBLE, key) for key in shared}
    below = Dialect(name, title=title, endpoints=endpoints, **{**usual, **spoken})
    return Dialect(
        name,
        title=title,
        base_url=base_url,
        hosts=hosts,
        mounts=dict.fromkeys(roots, below),
        variables=variables,
        default_model=default_model,
        needs_key=needs_key,
        vocabulary=vocabulary,
        models=(default_model,) if default_model else (),
        telemetry_name=below.telemetry_name,
    )
