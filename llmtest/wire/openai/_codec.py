"""The OpenAI dialect: Chat Completions, models and embeddings, of OpenAI itself and of all who speak like it."""

from __future__ import annotations

import base64
import struct
from collections.abc import Container, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from llmtest.errors import InvalidRequestError, InvalidResponseError, ProviderError
from llmtest.types import CompletionRequest, CompletionResponse, EmbeddingRequest, EmbeddingResponse, ModelCard, Usage
from llmtest.wire import _ids
from llmtest.wire._headers import bearer_token, header, openai_limit_headers, parse_openai_limits
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
from llmtest.wire.openai import _errors
from llmtest.wire.openai._checks import check_embedding, refuse
from llmtest.wire.openai.chat import _request, _response, _stream

_JSON_HEADERS: Headers = (("content-type", "application/json"), ("accept", "application/json"))
_STREAM_HEADERS: Headers = (("content-type", "application/json"), ("accept", "text/event-stream"))
_ROUTES: tuple[tuple[str, Operation, str], ...] = (
    ("/chat/completions", "chat", "POST"),
    ("/embeddings", "embeddings", "POST"),
    ("/models", "models", "GET"),
)
_NOT_JSON = (
    "We could not parse the JSON body of your request. (HINT: This likely means you aren't using your HTTP library "
    "correctly. The OpenAI API expects a JSON payload, but what was sent was not valid JSON. If you have trouble "
    "figuring out how to fix this, please contact us through our help center at help.openai.com.)"
)


class OpenAICodec:
    """OpenAI Chat Completions; see `Codec` for the contract."""

    dialect: str = "openai"
    default_base_url: str = "https://api.openai.com/v1"

    def auth_headers(self, api_key: str | None) -> Headers:
        """Write the headers that carry the key."""
        return () if api_key is None else (("authorization", f"Bearer {api_key}"),)

    def encode_request(self, request: CompletionRequest, *, stream: bool) -> WireRequest:
        """Write a completion request; a stream asks for its usage."""
        body = dumps(_request.encode_body(request, stream=stream))
        return WireRequest("POST", "/chat/completions", _STREAM_HEADERS if stream else _JSON_HEADERS, body)

    def decode_response(self, body: bytes, headers: Mapping[str, str]) -> CompletionResponse:
        """Read a complete answer."""
        request_id = header(headers, "x-request-id")
        try:
            parsed = loads(body)
        except ValueError as error:
            raise _unreadable(body, request_id, f"is not JSON ({error})") from error
        if not isinstance(parsed, dict):
            raise _unreadable(body, request_id, "is no JSON object")
        if parsed.get("error") and not parsed.get("choices"):
            failure = _errors.decode_stream_error(parsed)
            failure.request_id = request_id
            raise failure
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
        request_id = header(headers, "x-request-id") if headers else None
        return _stream.OpenAIStreamDecoder(_errors.decode_stream_error, request_id)

    def encode_models_request(self, model: str | None = None) -> WireRequest:
        """Write a request for the list of models, or for one of them."""
        return WireRequest("GET", "/models" if model is None else f"/models/{model}", (_JSON_HEADERS[1],))

    def decode_models(self, body: bytes) -> tuple[ModelCard, ...]:
        """Read a list of models, or a single one."""
        parsed = _object(body)
        found = parsed.get("data") if isinstance(parsed.get("data"), list) else [parsed]
        known = {"id", "created", "owned_by", "object"}
        return tuple(
            ModelCard(
                str(card.get("id")),
                count(card.get("created")),
                card.get("owned_by"),
                extra=_own_fields(card, known),
            )
            for card in found or ()
            if isinstance(card, dict)
        )

    def encode_embeddings_request(self, request: EmbeddingRequest) -> WireRequest:
        """Write a request for embeddings."""
        body = {
            "input": [text if isinstance(text, str) else list(text) for text in request.inputs],
            "model": request.model,
            "encoding_format": request.encoding_format,
            **({} if request.dimensions is None else {"dimensions": request.dimensions}),
            **request.extra_for(self.dialect),
        }
        return WireRequest("POST", "/embeddings", _JSON_HEADERS, dumps(body))

    def decode_embeddings(self, body: bytes) -> EmbeddingResponse:
        """Read vectors, in either encoding."""
        parsed = _object(body)
        rows, usage = parsed.get("data"), parsed.get("usage")
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise _unreadable(body, None, "holds no embeddings")
        rows = sorted(rows, key=lambda row: count(row.get("index")))
        return EmbeddingResponse(
            tuple(_vector(row.get("embedding"), body) for row in rows),
            parsed.get("model"),
            Usage(count(usage.get("prompt_tokens")) if isinstance(usage, dict) else 0),
        )

    def decode_limits(self, headers: Mapping[str, str], *, now: datetime) -> RateLimits | None:  # noqa: ARG002 - OpenAI's resets are durations
        """Read what the headers say about rate limits."""
        return parse_openai_limits(headers)

    def decode_call(self, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes) -> WireCall:  # noqa: ARG002 - nothing of OpenAI's is in the query
        """Read any request to this provider."""
        operation, model = _route(method, path)
        api_key = bearer_token(headers) or header(headers, "api-key")
        if operation in {"models", "model"}:
            return WireCall(operation, None, model, api_key=api_key)
        try:
            parsed = loads(body)
        except ValueError as error:
            raise refuse(_NOT_JSON) from error
        if not isinstance(parsed, dict):
            raise refuse(_NOT_JSON)
        if operation == "embeddings":
            request = _decode_embedding_request(parsed)
            return WireCall(operation, request, request.model, api_key=api_key)
        options = parsed.pop("stream_options", None) if isinstance(parsed.get("stream_options"), dict) else None
        if options is not None and parsed.get("stream") is not True:
            parsed["stream_options"] = options
        completion, unread = _request.decode_call(parsed)
        options = options or {}
        return WireCall(
            "chat",
            completion,
            parsed["model"],
            parsed.get("stream") is True,
            api_key,
            options.get("include_usage") is True,
            options.get("include_obfuscation") is not False,
            unread,
            parsed.get("n") or 1,
        )

    def response_headers(self, meta: ResponseMeta, *, stream: bool = False) -> Headers:
        """Write the headers of a successful answer."""
        limits = () if meta.limits is None else openai_limit_headers(meta.limits)
        return (
            ("content-type", "text/event-stream; charset=utf-8" if stream else "application/json"),
            ("openai-organization", meta.organization),
            ("openai-processing-ms", str(meta.processing_ms or 0)),
            ("openai-version", "2020-10-01"),
            *limits,
            *(() if meta.request_id is None else (("x-request-id", meta.request_id),)),
        )

    def encode_response(self, response: CompletionResponse, call: WireCall, meta: ResponseMeta) -> bytes:  # noqa: ARG002 - the protocol has it
        """Write a complete answer."""
        return _response.encode_bytes(response, meta)

    def encode_stream(
        self, response: CompletionResponse, call: WireCall, meta: ResponseMeta, chunks: Sequence[str] | None = None
    ) -> list[bytes]:
        """Write a streamed answer, one element per event."""
        return _stream.encode_stream(response, call, meta, chunks)

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
        """Write vectors, in the encoding that was asked for."""
        request = call.request
        packed = isinstance(request, EmbeddingRequest) and request.encoding_format == "base64"
        rows = [
            {"object": "embedding", "index": index, "embedding": _pack(vector) if packed else list(vector)}
            for index, vector in enumerate(response.vectors)
        ]
        tokens = response.usage.input_tokens
        usage = {"prompt_tokens": tokens, "total_tokens": tokens}
        model = response.model or meta.model or call.model
        return dumps({"object": "list", "data": rows, "model": model, "usage": usage})

    def encode_models(self, models: Sequence[ModelCard], call: WireCall, meta: ResponseMeta) -> bytes:
        """Write the list of models, or for operation `model` the first of them."""
        cards = [
            {
                "id": card.id,
                "object": "model",
                "created": card.created_s or meta.created_s,
                "owned_by": card.owned_by or "system",
                **card.extra_for(self.dialect),
            }
            for card in models
        ]
        return dumps(cards[0] if call.operation == "model" else {"object": "list", "data": cards})

    def encode_token_count(self, tokens: int) -> bytes:
        """Write a token count; Chat Completions has no such endpoint, the Responses API writes it like this."""
        return dumps({"object": "response.input_tokens", "input_tokens": tokens})

    def response_id(self, value: int) -> str:
        """Build an answer's id."""
        return "chatcmpl-" + _ids.letters(value, 29)

    def request_id(self, value: int) -> str:
        """Build a request's id."""
        return "req_" + _ids.hexadecimal(value, 32)

    def tool_call_id(self, value: int) -> str:
        """Build a tool call's id."""
        return "call_" + _ids.letters(value, 24)


def _own_fields(body: Mapping[str, Any], known: Container[str]) -> dict[str, dict[str, Any]]:
    """Return what no member of a type says, under this dialect's name."""
    extra = {name: value for name, value in body.items() if name not in known}
    return {OpenAICodec.dialect: extra} if extra else {}


def _route(method: str, path: str) -> tuple[Operation, str | None]:
    path = path.rstrip("/")
    for end, operation, expected in _ROUTES:
        if path.endswith(end):
            if method != expected:
                _refuse_method(method, path)
            return operation, None
    _, found, model = path.partition("/models/")
    if found and model:
        if method != "GET":
            _refuse_method(method, path)
        return "model", model
    error = InvalidRequestError(f"Invalid URL ({method} {path})", status=404, code="invalid_request_error")
    raise WireFormatError(error)


def _refuse_method(method: str, path: str) -> None:
    message = f"Not allowed to {method} on {path}. (HINT: Perhaps you meant to use a different HTTP method?)"
    raise WireFormatError(InvalidRequestError(message, status=405, code="invalid_request_error"))


def _unreadable(body: bytes, request_id: str | None, reason: str) -> InvalidResponseError:
    start = body[:80].decode(errors="replace")
    return InvalidResponseError(f"the answer {reason}: {start}", status=200, request_id=request_id, body=body)


def _object(body: bytes) -> dict[str, Any]:
    try:
        parsed = loads(body)
    except ValueError as error:
        raise _unreadable(body, None, f"is not JSON ({error})") from error
    if not isinstance(parsed, dict):
        raise _unreadable(body, None, "is no JSON object")
    return parsed


def _pack(vector: Sequence[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


def _vector(value: object, body: bytes) -> tuple[float, ...]:
    try:
        if isinstance(value, str):
            data = base64.b64decode(value, validate=True)
            return struct.unpack(f"<{len(data) // 4}f", data)
        if isinstance(value, list):
            return tuple(map(float, value))
    except (TypeError, ValueError, OverflowError, struct.error):
        pass
    raise _unreadable(body, None, "has an embedding that is neither a list of numbers nor base64")


def _decode_embedding_request(body: Mapping[str, Any]) -> EmbeddingRequest:
    check_embedding(body)
    value = body["input"]
    if isinstance(value, str):
        inputs: tuple[Any, ...] = (value,)
    elif isinstance(value[0], int):
        inputs = (tuple(value),)
    else:
        inputs = tuple(item if isinstance(item, str) else tuple(item) for item in value)
    encoding: Literal["float", "base64"] = "base64" if body.get("encoding_format") == "base64" else "float"
    known = {"model", "input", "encoding_format", "dimensions"}
    return EmbeddingRequest(inputs, body["model"], encoding, body.get("dimensions"), _own_fields(body, known))
