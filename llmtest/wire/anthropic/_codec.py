"""The Anthropic dialect: Messages, count_tokens and models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from llmtest.errors import InvalidRequestError, InvalidResponseError, NotSupportedError, ProviderError
from llmtest.types import CompletionRequest, CompletionResponse, EmbeddingResponse, ModelCard
from llmtest.wire import _ids
from llmtest.wire._headers import anthropic_limit_headers, bearer_token, header, parse_anthropic_limits
from llmtest.wire._json import count, dumps, loads
from llmtest.wire._records import (
    Headers,
    Operation,
    RateLimits,
    ResponseMeta,
    StreamDecoder,
    WireCall,
    WireFormatError,
    WireRequest,
)
from llmtest.wire.anthropic import _errors
from llmtest.wire.anthropic._checks import refuse
from llmtest.wire.anthropic.messages import _request, _response, _stream

VERSION = "2023-06-01"
_COMPLETE: Headers = (("content-type", "application/json"),)
_STREAM: Headers = (("content-type", "text/event-stream; charset=utf-8"), ("cache-control", "no-cache"))
_HEADERS: Headers = (("content-type", "application/json"), ("anthropic-version", VERSION))
_ROUTES: tuple[tuple[str, Operation, str], ...] = (
    ("/messages/count_tokens", "count_tokens", "POST"),
    ("/messages", "chat", "POST"),
    ("/models", "models", "GET"),
)


class AnthropicCodec:
    """Anthropic Messages; see `Codec` for the contract."""

    dialect: str = "anthropic"
    default_base_url: str = "https://api.anthropic.com"

    def auth_headers(self, api_key: str | None) -> Headers:
        """Write the headers that carry the key."""
        return () if api_key is None else (("x-api-key", api_key),)

    def encode_request(self, request: CompletionRequest, *, stream: bool) -> WireRequest:
        """Write a completion request."""
        accept = ("accept", "text/event-stream" if stream else "application/json")
        body = dumps(_request.encode_body(request, stream=stream))
        return WireRequest("POST", "/v1/messages", (*_HEADERS, accept), body)

    def decode_response(self, body: bytes, headers: Mapping[str, str]) -> CompletionResponse:
        """Read a complete answer."""
        request_id = header(headers, "request-id")
        parsed = _object(body, request_id)
        if parsed.get("type") == "error" or (parsed.get("error") and "content" not in parsed):
            error = _errors.decode_stream_error(parsed)
            error.request_id = request_id
            raise error
        try:
            return _response.decode_body(parsed, request_id)
        except ProviderError as error:
            error.body = body
            raise

    def decode_error(self, status: int, headers: Mapping[str, str], body: bytes, *, now: datetime) -> ProviderError:
        """Read an error."""
        return _errors.decode_error(status, headers, body, now=now)

    def stream_decoder(self, headers: Mapping[str, str] | None = None) -> StreamDecoder:
        """Start to read a streamed answer."""
        request_id = header(headers, "request-id") if headers else None
        return _stream.AnthropicStreamDecoder(_errors.decode_stream_error, request_id)

    def encode_models_request(self, model: str | None = None) -> WireRequest:
        """Write a request for the list of models, or for one of them."""
        return WireRequest("GET", "/v1/models" if model is None else f"/v1/models/{model}", (_HEADERS[1],))

    def decode_models(self, body: bytes) -> tuple[ModelCard, ...]:
        """Read a list of models, or a single one."""
        parsed = _object(body, None)
        found = parsed.get("data") if isinstance(parsed.get("data"), list) else [parsed]
        return tuple(_decode_card(card) for card in found or () if isinstance(card, dict))

    def encode_count_request(self, request: CompletionRequest) -> WireRequest:
        """Write a request that only counts the tokens."""
        body = _request.encode_body(request, stream=False)
        del body["max_tokens"]
        return WireRequest("POST", "/v1/messages/count_tokens", _HEADERS, dumps(body))

    def decode_token_count(self, body: bytes) -> int:
        """Read how many tokens were counted."""
        return count(_object(body, None).get("input_tokens"))

    def decode_limits(self, headers: Mapping[str, str], *, now: datetime) -> RateLimits | None:
        """Read what the headers say about rate limits."""
        return parse_anthropic_limits(headers, now)

    def decode_call(self, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes) -> WireCall:  # noqa: ARG002 - `beta=true` changes nothing here
        """Read any request to this provider; the key may come in either header."""
        operation, model = _route(method, path)
        api_key = headers.get("x-api-key") or bearer_token(headers)
        if operation in {"models", "model"}:
            return WireCall(operation, None, model, api_key=api_key)
        try:
            parsed = loads(body)
        except ValueError as error:
            raise refuse(f"The request body is not valid JSON: {error}") from error
        if not isinstance(parsed, dict):
            raise refuse("Input should be a valid dictionary")
        request, unread = _request.decode_call(parsed, limit_required=operation == "chat")
        stream = parsed.get("stream") is True
        return WireCall(operation, request, parsed["model"], stream, api_key, include_usage=True, unread=unread)

    def response_headers(self, meta: ResponseMeta, *, stream: bool = False) -> Headers:
        """Write the headers of a successful answer."""
        limits = () if meta.limits is None else anthropic_limit_headers(meta.limits, meta.now)
        return (
            *(_STREAM if stream else _COMPLETE),
            *limits,
            ("anthropic-organization-id", meta.organization),
            *(() if meta.request_id is None else (("request-id", meta.request_id),)),
        )

    def encode_response(self, response: CompletionResponse, call: WireCall, meta: ResponseMeta) -> bytes:  # noqa: ARG002 - the protocol has it
        """Write a complete answer."""
        return _response.encode_bytes(response, meta)

    def encode_stream(
        self, response: CompletionResponse, call: WireCall, meta: ResponseMeta, chunks: Sequence[str] | None = None
    ) -> list[bytes]:  # the switches of a call are OpenAI's
        """Write a streamed answer, one element per event."""
        del call
        return _stream.encode_stream(response, meta, chunks)

    def worded(self, error: ProviderError, meta: ResponseMeta) -> ProviderError:
        """Fill in what the error does not say itself."""
        return _errors.worded(error, meta)

    def encode_error(self, error: ProviderError, meta: ResponseMeta) -> tuple[int, Headers, bytes]:
        """Write an error as status, headers and body."""
        return _errors.encode_error(error, meta, self.response_headers(meta))

    def encode_stream_error(self, error: ProviderError, meta: ResponseMeta) -> bytes:
        """Write an error as an event inside a stream."""
        return _stream.encode_stream_error(_errors.error_object(error, meta))

    def encode_embeddings(self, response: EmbeddingResponse, call: WireCall, meta: ResponseMeta) -> bytes:
        """Anthropic has no embeddings; `decode_call` never asks for them.

        Raises:
            NotSupportedError: Always.
        """
        raise NotSupportedError(
            "anthropic has no embeddings endpoint", model=call.model or meta.model or response.model
        )

    def encode_models(self, models: Sequence[ModelCard], call: WireCall, meta: ResponseMeta) -> bytes:
        """Write the list of models, or for operation `model` the first of them."""
        cards = [_encode_card(card, meta) for card in models]
        if call.operation == "model":
            return dumps(cards[0])
        first, last = (cards[0]["id"], cards[-1]["id"]) if cards else (None, None)
        return dumps({"data": cards, "has_more": False, "first_id": first, "last_id": last})

    def encode_token_count(self, tokens: int) -> bytes:
        """Write the answer to `count_tokens`."""
        return dumps({"input_tokens": tokens})

    def response_id(self, value: int) -> str:
        """Build an answer's id."""
        return "msg_01" + _ids.base58(value, 22)

    def request_id(self, value: int) -> str:
        """Build a request's id."""
        return "req_011C" + _ids.base58(value, 20)

    def tool_call_id(self, value: int) -> str:
        """Build a tool call's id."""
        return "toolu_01" + _ids.base58(value, 22)


def _route(method: str, path: str) -> tuple[Operation, str | None]:
    path = path.rstrip("/")
    for end, operation, expected in _ROUTES:
        if path.endswith(end):
            if method != expected:
                _refuse_method()
            return operation, None
    _, found, model = path.partition("/models/")
    if found and model:
        if method != "GET":
            _refuse_method()
        return "model", model
    raise WireFormatError(InvalidRequestError("Not Found", status=404, code="not_found_error"))


def _refuse_method() -> None:
    raise WireFormatError(InvalidRequestError("Method Not Allowed", status=405, code="invalid_request_error"))


def _object(body: bytes, request_id: str | None) -> dict[str, Any]:
    try:
        parsed = loads(body)
    except ValueError as error:
        raise _unreadable(body, request_id, f"is not JSON ({error})") from error
    if not isinstance(parsed, dict):
        raise _unreadable(body, request_id, "is no JSON object")
    return parsed


def _unreadable(body: bytes, request_id: str | None, reason: str) -> InvalidResponseError:
    start = body[:80].decode(errors="replace")
    return InvalidResponseError(f"the answer {reason}: {start}", status=200, request_id=request_id, body=body)


def _encode_card(card: ModelCard, meta: ResponseMeta) -> dict[str, Any]:
    created = datetime.fromtimestamp(card.created_s or meta.created_s, UTC)
    found: dict[str, Any] = {
        "type": "model",
        "id": card.id,
        "display_name": card.display_name or card.id,
        "created_at": created.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    if card.max_input_tokens is not None:
        found["max_input_tokens"] = card.max_input_tokens
    if card.max_tokens is not None:
        found["max_tokens"] = card.max_tokens
    found.update(card.extra_for(AnthropicCodec.dialect))
    return found


def _decode_card(card: Mapping[str, Any]) -> ModelCard:
    try:
        created = int(datetime.fromisoformat(str(card.get("created_at"))).timestamp())
    except ValueError:
        created = 0
    known = {"type", "id", "display_name", "created_at", "max_input_tokens", "max_tokens"}
    extra = {name: value for name, value in card.items() if name not in known}
    return ModelCard(
        str(card.get("id")),
        created,
        None,
        card.get("display_name"),
        card.get("max_input_tokens"),
        card.get("max_tokens"),
        {AnthropicCodec.dialect: extra} if extra else {},
    )
