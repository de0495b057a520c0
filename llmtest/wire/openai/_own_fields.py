"""Chat Completions of servers that speak like OpenAI and tell more, or in other fields."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from llmtest.types import CompletionResponse
from llmtest.wire._endpoint import Endpoint
from llmtest.wire._records import ResponseMeta, WireCall
from llmtest.wire.openai._bodies import NAME
from llmtest.wire.openai._chat import CHAT
from llmtest.wire.openai.chat._response import REASONING_FIELDS, choice_body

__all__ = ["chat_with", "choices_with", "with_fields"]

OwnFields = Callable[[CompletionResponse, WireCall, ResponseMeta], CompletionResponse]


def chat_with(
    own_fields: OwnFields,
    edit: Callable[[bytes], bytes] | None = None,
    *,
    decode_call: Callable[..., WireCall] = CHAT.decode_call,
    keep_alive: bytes | None = None,
    keep: Callable[..., None] | None = None,
) -> Endpoint:
    """Make the endpoint of a server's chat completions.

    Args:
        own_fields: `(response, call, meta) -> response`: adds what only this server tells, to be written.
        edit: Changes the bytes of each event of a stream.
        decode_call: Server half, where it takes more than OpenAI does.
        keep_alive: An event that says nothing but that the stream is alive.
        keep: What is kept of an answer for later calls.
    """

    def encode_answer(response: CompletionResponse, call: WireCall, meta: ResponseMeta) -> bytes:
        return CHAT.encode_answer(own_fields(response, call, meta), call, meta)

    def encode_stream(
        response: CompletionResponse, call: WireCall, meta: ResponseMeta, chunks: Sequence[str] | None
    ) -> list[bytes]:
        events = CHAT.encode_stream(own_fields(response, call, meta), call, meta, chunks)
        return events if edit is None else [edit(event) for event in events]

    return Endpoint(
        CHAT.operation,
        CHAT.method,
        CHAT.pattern,
        gives="completion",
        decode_call=decode_call,
        encode_answer=encode_answer,
        encode_call=CHAT.encode_call,
        decode_answer=CHAT.decode_answer,
        refuse_unsayable=CHAT.refuse_unsayable,
        encode_stream=encode_stream,
        stream_decoder=CHAT.stream_decoder,
        keep_alive=keep_alive,
        keep=keep,
    )


def with_fields(response: CompletionResponse, fields: Mapping[str, Any]) -> CompletionResponse:
    """Return an answer with further fields of its body; those that it was read with stay."""
    own = {**fields, **response.extra_for(NAME)} if response.extra else dict(fields)
    return replace(response, extra={**response.extra, NAME: own})


def choices_with(
    response: CompletionResponse,
    *,
    reasoning: str = REASONING_FIELDS[0],
    choice: Callable[[CompletionResponse], Mapping[str, Any]] | None = None,
    message: Callable[[CompletionResponse], Mapping[str, Any]] | None = None,
) -> CompletionResponse:
    """Return an answer whose choices have further fields; those that were read stay as they are.

    Args:
        response: What is answered.
        reasoning: Name of the field of thoughts.
        choice: Further fields of a choice.
        message: Further fields of its message.
    """
    if response.extra and "choices" in response.extra_for(NAME):
        return response
    others = tuple(
        _one_with(other, place, reasoning, choice, message) for place, other in enumerate(response.alternatives, 1)
    )
    return replace(_one_with(response, 0, reasoning, choice, message), alternatives=others)


def _one_with(
    response: CompletionResponse,
    index: int,
    reasoning: str,
    choice: Callable[[CompletionResponse], Mapping[str, Any]] | None,
    message: Callable[[CompletionResponse], Mapping[str, Any]] | None,
) -> CompletionResponse:
    whole = choice_body(response, index)
    said = {reasoning if name in REASONING_FIELDS else name: value for name, value in whole["message"].items()}
    whole = {
        **whole,
        **({} if choice is None else choice(response)),
        "message": {**said, **({} if message is None else message(response))},
    }
    return with_fields(replace(response, raw_finish_reason=whole["finish_reason"]), {"choices": whole})
