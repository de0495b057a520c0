"""OpenAI chat completions: the streamed answer as it is written, from types to server-sent events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from llmtest.types import CompletionResponse, FinishReason, ResponsePart, Usage
from llmtest.wire._json import dump_string, dump_text
from llmtest.wire._records import ResponseMeta, WireCall
from llmtest.wire.framing._sse import frame
from llmtest.wire.framing._words import words
from llmtest.wire.openai.chat import _response as answers
from llmtest.wire.openai.chat._answer_in_kind import in_kind
from llmtest.wire.openai.chat._logprobs import by_piece

_PADDING = "jP9abrn9XF3kQ2vLw8TzYc5HsDd1mRuE7oGiN4xB0tKyVqJf6ZpCaSgWhUlMOeIA"
_DELTA_FIELDS = frozenset({"role", "content", "refusal", "tool_calls", "function_call", *answers.REASONING_FIELDS})
_CHOICE_FIELDS = frozenset({"index", "delta", "finish_reason", "logprobs"})
DONE = b"data: [DONE]\n\n"
MOST_KEPT_CHUNKS = 64
"""Pieces of the longest stream whose events are kept."""


class _Writer:
    """Writes the chunks of one answer; what every chunk repeats is written once."""

    def __init__(
        self,
        response: CompletionResponse,
        meta: ResponseMeta,
        *,
        is_openai: bool,
        with_usage: bool,
        obfuscate: bool,
    ) -> None:
        extra = answers.head_fields(response, meta, is_openai=is_openai)
        self.late = {key: value for key, value in extra.items() if isinstance(value, dict | list)}
        head = {
            "id": response.id if response.id is not None else meta.id,
            "object": "chat.completion.chunk",
            "created": extra.pop("created"),
            "model": response.model if response.model is not None else meta.model,
        }
        head.update((key, value) for key, value in extra.items() if key not in self.late)
        self.head = "data: " + dump_text(head)[:-1]
        self.usage = ',"usage":null' if with_usage else ""
        self.obfuscate = obfuscate
        self.found: list[bytes] = []

    def _pad(self, size: int) -> str:
        if not self.obfuscate:
            return ""
        start = len(self.found) * 7 % 32
        return f',"obfuscation":"{_PADDING[start : start + 16 - size % 16]}"'

    def delta(self, index: int, delta: str, size: int = 0, logprobs: str = "null") -> None:
        """Write a chunk with one choice; `delta` and `logprobs` are JSON text."""
        self.found.append(
            (
                f'{self.head},"choices":[{{"index":{index},"delta":{delta},"logprobs":{logprobs},"finish_reason":null}}]'
                f"{self.usage}{self._pad(size)}}}\n\n"
            ).encode()
        )

    def last(self, choice: Mapping[str, Any], late: Mapping[str, Any]) -> None:
        """Write the chunk that ends a choice."""
        more = "".join(f",{dump_string(key)}:{dump_text(value)}" for key, value in late.items())
        self.found.append(f'{self.head}{more},"choices":[{dump_text(choice)}]{self.usage}{self._pad(0)}}}\n\n'.encode())

    def total(self, usage: Mapping[str, Any]) -> None:
        """Write the chunk with the usage."""
        self.found.append(f'{self.head},"choices":[],"usage":{dump_text(usage)}{self._pad(3)}}}\n\n'.encode())


def encode_stream(
    response: CompletionResponse, call: WireCall, meta: ResponseMeta, chunks: Sequence[str] | None
) -> list[bytes]:
    """Write a streamed answer, one element per event."""
    if call.shaping:
        response = in_kind(response, call.shaping)
    elif chunks is not None and len(chunks) <= MOST_KEPT_CHUNKS and answers.is_plain(response):
        return _plain_stream(response, call, meta, tuple(chunks))
    writer = _Writer(
        response,
        meta,
        is_openai=call.endpoint.dialect.settings.get("is_openai") is True,
        with_usage=call.include_usage,
        obfuscate=call.include_obfuscation,
    )
    _write(writer, response, chunks, include_usage=call.include_usage)
    writer.found.append(DONE)
    return writer.found


def _plain_stream(
    response: CompletionResponse, call: WireCall, meta: ResponseMeta, chunks: tuple[str, ...]
) -> list[bytes]:
    """Write a streamed answer of which only id and time differ from one request to the next; the rest is kept."""
    dialect = call.endpoint.dialect
    is_openai = dialect.settings.get("is_openai") is True
    model = meta.model if response.model is None else response.model
    before, rest = _written_once(
        response.parts,
        response.finish_reason,
        response.raw_finish_reason,
        response.usage,
        model,
        chunks,
        is_openai,
        call.include_usage,
        call.include_obfuscation,
    )
    identity = dump_text(meta.id if response.id is None else response.id)
    head = f'data: {{"id":{identity},"object":"chat.completion.chunk","created":{meta.created_s}{before}'.encode()
    found = [head + each for each in rest]
    found.append(DONE)
    return found


@lru_cache(maxsize=64)
def _written_once(
    parts: tuple[ResponsePart, ...],
    finish_reason: FinishReason | None,
    raw_finish_reason: str | None,
    usage: Usage,
    model: str | None,
    chunks: tuple[str, ...],
    is_openai: bool,
    include_usage: bool,
    obfuscate: bool,
) -> tuple[str, list[bytes]]:
    """Return what stands after `created` in the head of every event, and what follows the head in each of them."""
    response = CompletionResponse(
        parts=parts, finish_reason=finish_reason, raw_finish_reason=raw_finish_reason, usage=usage, model=model
    )
    writer = _Writer(response, ResponseMeta(), is_openai=is_openai, with_usage=include_usage, obfuscate=obfuscate)
    _write(writer, response, chunks, include_usage=include_usage)
    size = len(writer.head.encode())
    _, _, before = writer.head.partition('"created":0')
    return before, [event[size:] for event in writer.found]


def _write(writer: _Writer, response: CompletionResponse, chunks: Sequence[str] | None, *, include_usage: bool) -> None:
    """Write every event but the last."""
    _encode_choice(writer, answers.choice_body(response, 0), 0, chunks, writer.late)
    for index, other in enumerate(response.alternatives, 1):
        _encode_choice(writer, answers.choice_body(other, index), index, None, {})
    usage = answers.usage_body(response)
    if include_usage and usage is not None:
        writer.total(usage)


def _encode_choice(
    writer: _Writer, choice: Mapping[str, Any], index: int, chunks: Sequence[str] | None, late: Mapping[str, Any]
) -> None:
    message = choice.get("message") or {}
    content = message.get("content")
    first = '""' if isinstance(content, str) else "null"
    writer.delta(index, f'{{"role":"assistant","content":{first},"refusal":null}}')
    for name in answers.REASONING_FIELDS:
        for piece in words(message.get(name) or ""):
            writer.delta(index, f'{{"{name}":{dump_string(piece)}}}', len(piece))
    logprobs = choice.get("logprobs")
    if isinstance(content, str):
        pieces = words(content) if chunks is None else chunks
        if pieces and isinstance(logprobs, dict) and isinstance(logprobs.get("content"), list):
            _encode_with_logprobs(writer, index, pieces, logprobs)
            logprobs = None
        else:
            for piece in pieces:
                writer.delta(index, f'{{"content":{dump_string(piece)}}}', len(piece))
    elif isinstance(content, list):
        writer.delta(index, dump_text({"content": content}))
    refusal = message.get("refusal") or ""
    for piece in chunks if chunks is not None and content is None and "".join(chunks) == refusal else words(refusal):
        writer.delta(index, f'{{"refusal":{dump_string(piece)}}}', len(piece))
    legacy = message.get("function_call")
    if legacy:
        writer.delta(index, dump_text({"function_call": {"name": legacy.get("name"), "arguments": ""}}))
        for piece in words(legacy.get("arguments") or ""):
            writer.delta(index, f'{{"function_call":{{"arguments":{dump_string(piece)}}}}}', len(piece))
    for position, tool in enumerate(message.get("tool_calls") or ()):
        _encode_tool(writer, tool, index, position)
    more = {
        key: value
        for key, value in message.items()
        if key not in _DELTA_FIELDS and value is not None and (key, value) != ("annotations", [])
    }
    last = {"index": index, "delta": more, "logprobs": logprobs}
    last["finish_reason"] = choice.get("finish_reason")
    last.update((key, value) for key, value in choice.items() if key not in {*_CHOICE_FIELDS, "message"})
    writer.last(last, late)


def _encode_with_logprobs(writer: _Writer, index: int, pieces: Sequence[str], logprobs: Mapping[str, Any]) -> None:
    """Write a text whose tokens are told of, each with the piece that it is in."""
    for piece, tokens in zip(pieces, by_piece(logprobs["content"], pieces), strict=True):
        told = dump_text({**logprobs, "content": tokens})
        writer.delta(index, f'{{"content":{dump_string(piece)}}}', len(piece), told)


def _encode_tool(writer: _Writer, tool: Mapping[str, Any], index: int, position: int) -> None:
    function = tool.get("function")
    if not isinstance(function, dict):
        writer.delta(index, dump_text({"tool_calls": [{"index": position, **tool}]}))
        return
    start = {"index": position, **tool, "function": {**function, "arguments": ""}}
    writer.delta(index, dump_text({"tool_calls": [start]}))
    for piece in words(function.get("arguments") or ""):
        writer.delta(
            index,
            f'{{"tool_calls":[{{"index":{position},"function":{{"arguments":{dump_string(piece)}}}}}]}}',
            len(piece),
        )


def encode_stream_error(error: Mapping[str, Any]) -> bytes:
    """Write an error as an event."""
    return frame(dump_text({"error": error}))
