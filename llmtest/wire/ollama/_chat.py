"""Ollama's endpoints that talk: `/api/chat` and `/api/generate`, and the loading of a model, which both do too."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from llmtest.types import CompletionRequest, CompletionResponse
from llmtest.wire._answer_bodies import answered
from llmtest.wire._endpoint import Endpoint
from llmtest.wire._headers import header
from llmtest.wire._json import dumps
from llmtest.wire._records import Headers, ResponseMeta, StreamDecoder, WireCall, WireRequest
from llmtest.wire._store import MODELS_KEPT, Store
from llmtest.wire.framing import NDJSON
from llmtest.wire.ollama._checks import asked, check_chat, check_prompt, named, no_model
from llmtest.wire.ollama._errors import decode_line
from llmtest.wire.ollama.native import _request as requests
from llmtest.wire.ollama.native._options import refuse_unsayable
from llmtest.wire.ollama.native._response import as_asked, body_of, created_at, decode_body
from llmtest.wire.ollama.native._stream import OllamaStreamDecoder, encode_stream

__all__ = ["CHAT", "GENERATE", "HEADERS", "RUNNING", "short_name"]

HEADERS: Headers = (("content-type", "application/json"), ("accept", "application/json"))
RUNNING = "running"
"""The table of models that are in memory, with how long they stay."""


def short_name(model: str) -> str:
    """Return the name under which a model is kept: `latest` is what one without a tag is."""
    return model.removesuffix(":latest")


def _known(call: WireCall, store: Store) -> WireCall:
    """Note that a model is in memory.

    Raises:
        WireFormatError: It was deleted.
    """
    name = short_name(call.model or "")
    if store.table(MODELS_KEPT).get(name) is False:
        raise no_model(call.model or "")
    store.table(RUNNING)[name] = call.shaping.get("keep_alive")
    return call


def _decode_call(
    endpoint: Endpoint,
    headers: Mapping[str, str],
    body: bytes,
    parameters: Mapping[str, str],
    *,
    check: Callable[[Mapping[str, Any]], None],
    decode: Callable[..., CompletionRequest],
    said_in: str,
) -> WireCall:
    del parameters
    parsed = asked(body)
    model = named(parsed)
    check(parsed)
    key = endpoint.dialect.read_key(headers)
    told = ("keep_alive", "logprobs", "top_logprobs")
    shaping = {str(name): parsed[name] for name in told if name in parsed}
    if not parsed.get(said_in) and not parsed.get("suffix"):
        return WireCall(_LOADS[said_in].of(endpoint.dialect), None, model, api_key=key, shaping=shaping)
    stream = parsed.get("stream") is not False
    request = decode(parsed, stream=stream)
    return WireCall(endpoint, request, model, stream, key, include_usage=True, shaping=shaping)


def _encode_answer(response: CompletionResponse, call: WireCall, meta: ResponseMeta, *, is_prompt: bool) -> bytes:
    return dumps(body_of(as_asked(response, call), meta, is_prompt=is_prompt))


def _encode_stream(
    response: CompletionResponse,
    call: WireCall,
    meta: ResponseMeta,
    chunks: Sequence[str] | None,
    *,
    is_prompt: bool,
) -> list[bytes]:
    return encode_stream(as_asked(response, call), meta, chunks, is_prompt=is_prompt)


def _decode_answer(body: bytes, headers: Mapping[str, str]) -> CompletionResponse:
    request_id = header(headers, "x-request-id")
    parsed = answered(body, request_id)
    if parsed.get("error"):
        raise decode_line(parsed)
    return decode_body(parsed, request_id)


def _stream_decoder(headers: Mapping[str, str] | None) -> StreamDecoder:
    return OllamaStreamDecoder(decode_line, header(headers, "x-request-id") if headers else None)


def _encode_chat(request: CompletionRequest, *, stream: bool) -> WireRequest:
    return WireRequest("POST", "/chat", HEADERS, dumps(requests.encode_chat(request, stream=stream)))


def _encode_prompt(request: CompletionRequest, *, stream: bool) -> WireRequest:
    return WireRequest("POST", "/generate", HEADERS, dumps(requests.encode_prompt(request, stream=stream)))


def _refuse_unpromptable(request: CompletionRequest) -> None:
    refuse_unsayable(request)
    requests.refuse_no_prompt(request)


def _talking(operation: str, *, is_prompt: bool, **fields: Any) -> Endpoint:
    return Endpoint(
        operation,
        "POST",
        f"/{operation}",
        gives="completion",
        encode_answer=partial(_encode_answer, is_prompt=is_prompt),
        encode_stream=partial(_encode_stream, is_prompt=is_prompt),
        decode_answer=_decode_answer,
        stream_decoder=_stream_decoder,
        framing=NDJSON,
        recall=_known,
        **fields,
    )


CHAT = _talking(
    "chat",
    is_prompt=False,
    decode_call=partial(_decode_call, check=check_chat, decode=requests.decode_chat, said_in="messages"),
    encode_call=_encode_chat,
    refuse_unsayable=refuse_unsayable,
)
"""`POST /api/chat`; it streams unless it is told not to."""

GENERATE = _talking(
    "generate",
    is_prompt=True,
    decode_call=partial(_decode_call, check=check_prompt, decode=requests.decode_prompt, said_in="prompt"),
    encode_call=_encode_prompt,
    refuse_unsayable=_refuse_unpromptable,
)
"""`POST /api/generate`."""


def _loaded(call: WireCall, meta: ResponseMeta, store: Store, *, said_in: str) -> dict[str, Any]:
    """Load a model, or let it go: what a call without a prompt does."""
    unloads = call.shaping.get("keep_alive") in (0, "0", "0s", "0m")
    if unloads:
        store.table(RUNNING).pop(short_name(call.model or ""), None)
    told = {"message": {"role": "assistant", "content": ""}} if said_in == "messages" else {"response": ""}
    reason = "unload" if unloads else "load"
    return {"model": call.model, "created_at": created_at(meta), **told, "done": True, "done_reason": reason}


def _encode_loaded(data: Any, call: WireCall, meta: ResponseMeta) -> bytes:
    del call, meta
    return dumps(data)


def _loading(pattern: str, said_in: str) -> Endpoint:
    return Endpoint(
        "load",
        "POST",
        pattern,
        decode_call=CHAT.decode_call,
        encode_answer=_encode_loaded,
        default=partial(_loaded, said_in=said_in),
        recall=_known,
    )


_LOADS = {"messages": _loading(CHAT.pattern, "messages"), "prompt": _loading(GENERATE.pattern, "prompt")}
