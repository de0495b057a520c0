"""What a vLLM server answers beside OpenAI's API: tokens, its version, its health, and its card of a model."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

from llmtest.types import ChatMessage, CompletionRequest, ModelCard
from llmtest.wire import _ids
from llmtest.wire._answer_bodies import answered
from llmtest.wire._endpoint import Endpoint, call_without_body
from llmtest.wire._headers import header
from llmtest.wire._json import count, dumps
from llmtest.wire._records import ResponseMeta, WireCall, WireRequest
from llmtest.wire._store import Store
from llmtest.wire.openai._bodies import JSON_HEADERS, NAME, asked
from llmtest.wire.openai._checks import refuse
from llmtest.wire.openai._models import MODEL, MODELS

__all__ = ["CARDS", "SERVER"]

VERSION = "0.11.0"
WINDOW = 32_768
"""Tokens that a model holds, where the simulated one has no window of its own."""
_VOCABULARY = 128_000


def _decode_tokenize(
    endpoint: Endpoint, headers: Mapping[str, str], body: bytes, parameters: Mapping[str, str]
) -> WireCall:
    del parameters
    parsed = asked(body)
    model = parsed.get("model")
    if isinstance(parsed.get("prompt"), str):
        messages: tuple[ChatMessage, ...] = (ChatMessage.user(parsed["prompt"]),)
    elif isinstance(parsed.get("messages"), list) and parsed["messages"]:
        told = [message for message in parsed["messages"] if isinstance(message, dict)]
        messages = tuple(ChatMessage.user(str(message.get("content") or "")) for message in told)
    else:
        raise refuse("Either `prompt` or `messages` must be provided.", "prompt")
    name = model if isinstance(model, str) and model else None
    request = CompletionRequest(messages, model=name)
    return WireCall(endpoint, request, name, api_key=endpoint.dialect.read_key(headers), shaping=parsed)


def _with_store(call: WireCall, store: Store) -> WireCall:
    call.recalled = store.table("tokens")
    return call


def _encode_tokens(tokens: int, call: WireCall, meta: ResponseMeta) -> bytes:
    """Write as many tokens as are counted, each a piece of the text that its number gives back."""
    del meta
    request = call.request
    text = "\n".join(message.text for message in request.messages) if isinstance(request, CompletionRequest) else ""
    places = [len(text) * place // tokens for place in range(tokens + 1)] if tokens else [0]
    pieces = [text[start:end] for start, end in pairwise(places)]
    known: dict[int, str] = call.recalled if isinstance(call.recalled, dict) else {}
    strings = pieces if call.shaping.get("return_token_strs") is True else None
    numbers = [_number(piece, known) for piece in pieces]
    return dumps({"count": tokens, "max_model_len": WINDOW, "tokens": numbers, "token_strs": strings})


def _number(piece: str, known: dict[int, str]) -> int:
    number = zlib.crc32(piece.encode(errors="replace")) % _VOCABULARY
    while known.setdefault(number, piece) != piece:
        number = (number + 1) % _VOCABULARY
    return number


def _encode_tokenize_call(request: CompletionRequest, *, stream: bool) -> WireRequest:
    del stream
    messages = [{"role": message.role, "content": message.text} for message in request.messages]
    return WireRequest("POST", "/tokenize", JSON_HEADERS, dumps({"model": request.model, "messages": messages}))


def _decode_tokens(body: bytes, headers: Mapping[str, str]) -> int:
    return count(answered(body, header(headers, "x-request-id")).get("count"))


def _decode_detokenize(
    endpoint: Endpoint, headers: Mapping[str, str], body: bytes, parameters: Mapping[str, str]
) -> WireCall:
    del parameters
    parsed = asked(body)
    tokens = parsed.get("tokens")
    if not isinstance(tokens, list) or not all(type(token) is int for token in tokens):
        raise refuse("`tokens` must be a list of integers.", "tokens")
    return WireCall(endpoint, None, None, api_key=endpoint.dialect.read_key(headers), shaping=parsed)


def _detokenize(call: WireCall, meta: ResponseMeta, store: Store) -> dict[str, Any]:
    del meta
    known = store.table("tokens")
    return {"prompt": "".join(known.get(token, "\ufffd") for token in call.shaping["tokens"])}


def _encode(data: Any, call: WireCall, meta: ResponseMeta) -> bytes:
    del call, meta
    return b"" if data is None else dumps(data)


def _told(pattern: str, data: Any) -> Endpoint:
    """Make an endpoint that always says the same."""

    def default(call: WireCall, meta: ResponseMeta, store: Store) -> Any:
        del call, meta, store
        return data

    return Endpoint(
        pattern[1:],
        "GET",
        pattern,
        decode_call=call_without_body,
        encode_answer=_encode,
        default=default,
    )


SERVER = (
    Endpoint(
        "tokenize",
        "POST",
        "/tokenize",
        gives="token_count",
        decode_call=_decode_tokenize,
        encode_answer=_encode_tokens,
        encode_call=_encode_tokenize_call,
        decode_answer=_decode_tokens,
        recall=_with_store,
    ),
    Endpoint(
        "detokenize",
        "POST",
        "/detokenize",
        decode_call=_decode_detokenize,
        encode_answer=_encode,
        default=_detokenize,
    ),
    _told("/version", {"version": VERSION}),
    _told("/health", None),
    _told("/ping", None),
    _told("/load", {"server_load": 0}),
)
"""Everything outside `/v1`; none of it asks for a key."""


def _encode_cards(models: Sequence[ModelCard], call: WireCall, meta: ResponseMeta) -> bytes:
    return MODELS.encode_answer([_card(card, meta) for card in models], call, meta)


def _card(card: ModelCard, meta: ResponseMeta) -> ModelCard:
    created = card.created_s or meta.created_s
    permission = {
        "id": "modelperm-" + _ids.hexadecimal(zlib.crc32(card.id.encode()), 32),
        "object": "model_permission",
        "created": created,
        "allow_create_engine": False,
        "allow_sampling": True,
        "allow_logprobs": True,
        "allow_search_indices": False,
        "allow_view": True,
        "allow_fine_tuning": False,
        "organization": "*",
        "group": None,
        "is_blocking": False,
    }
    window = card.max_input_tokens or WINDOW
    own = {"root": card.id, "parent": None, "max_model_len": window, "permission": [permission]}
    return replace(card, owned_by="vllm", extra={NAME: {**own, **card.extra_for(NAME)}})


def _decode_cards(body: bytes, headers: Mapping[str, str]) -> tuple[ModelCard, ...]:
    found: tuple[ModelCard, ...] = MODELS.decode_answer(body, headers)
    return tuple(
        replace(card, max_input_tokens=count(card.extra_for(NAME).get("max_model_len")) or None) for card in found
    )


CARDS = tuple(
    Endpoint(
        each.operation,
        each.method,
        each.pattern,
        gives="models",
        decode_call=each.decode_call,
        encode_answer=_encode_cards,
        encode_call=each.encode_call,
        decode_answer=_decode_cards,
    )
    for each in (MODELS, MODEL)
)
"""`GET /v1/models` and `GET /v1/models/{model}`, with the window of each."""
