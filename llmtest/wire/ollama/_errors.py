"""Ollama's errors in its own words, of its own API and of its OpenAI-compatible one.

Its own API says a plain text: `{"error": "model 'llama3' not found"}`; the other an object whose `type` follows from
the status and whose `code` is always null (`openai/openai.go`).
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from typing import Any

from llmtest.errors import (
    AuthenticationError,
    ContextLengthExceededError,
    InvalidRequestError,
    ModelNotFoundError,
    NotSupportedError,
    OverloadedError,
    PermissionDeniedError,
    ProviderError,
    ProviderTimeoutError,
    QuotaExceededError,
    RateLimitedError,
    RequestTooLargeError,
    ServerError,
)
from llmtest.wire import _classify
from llmtest.wire._json import dumps
from llmtest.wire._json_errors import JsonErrors
from llmtest.wire._records import Headers, ResponseMeta
from llmtest.wire.framing import Framing
from llmtest.wire.openai._spoken_errors import OpenAIErrors

__all__ = ["CompatibleErrors", "OllamaErrors", "decode_line"]

_WORDS: tuple[tuple[type[ProviderError], int, str], ...] = (
    (RateLimitedError, 429, "too many requests"),
    (QuotaExceededError, 429, "you have reached your weekly usage limit, upgrade for higher limits"),
    (AuthenticationError, 401, "unauthorized"),
    (PermissionDeniedError, 403, "ollama cloud is disabled: remote inference is unavailable"),
    (ContextLengthExceededError, 400, "the input length exceeds the context length"),
    (RequestTooLargeError, 413, "http: request body too large"),
    (InvalidRequestError, 400, 'option "stop" must be of type array'),
    (ModelNotFoundError, 404, "model '{model}' not found"),
    (NotSupportedError, 501, "not implemented"),
    (ProviderTimeoutError, 408, "request canceled"),
    (OverloadedError, 503, "server busy, please try again.  maximum pending requests exceeded"),
    (ServerError, 500, "llama-server process has terminated: exit status 2"),
)
"""The first that fits; both spaces in the text of a full queue are its own."""


def _word(error: ProviderError, meta: ResponseMeta) -> tuple[int, str] | None:
    for kind, status, text in _WORDS:
        if isinstance(error, kind):
            return status, text.format(model=error.model or meta.model or "llama3.2")
    return None


def worded(error: ProviderError, meta: ResponseMeta) -> ProviderError | None:
    """Fill in status and words; None where Ollama has none of its own for such an error."""
    found = _word(error, meta)
    if found is None or (not error.message and _classify.gateway_page(error.status or found[0]) is not None):
        return None
    status = error.status if error.status is not None and error.status >= 400 else found[0]
    return _classify.fill(error, status=status, code=None, message=found[1], request_id=meta.request_id)


class OllamaErrors(JsonErrors):
    """Errors of its own API, whose message is a plain text."""

    def worded(self, error: ProviderError, meta: ResponseMeta) -> ProviderError:
        """Fill in what the error does not say itself."""
        return worded(error, meta) or super().worded(error, meta)

    def encode(self, error: ProviderError, meta: ResponseMeta, headers: Headers) -> tuple[int, Headers, bytes]:
        """Write an error as status, headers and body."""
        status, found, _ = super().encode(error, meta, headers)
        return status, found, error.body if error.body is not None else dumps({"error": error.message})

    def encode_event(self, error: ProviderError, meta: ResponseMeta, framing: Framing) -> bytes:
        """Write an error as a line inside a stream."""
        return dumps({"error": self.worded(error, meta).message}) + framing.separator


def decode_line(line: Mapping[str, Any]) -> ProviderError:
    """Read an error that came as a line; it has no status, and its words tell what it is."""
    message = _classify.message_of(line, 200, dumps(line))
    for kind, status, text in _WORDS:
        start = text.partition("{")[0]
        if message.startswith(start) and (kind is not ModelNotFoundError or message.endswith("not found")):
            found = kind(message, status=200)
            found.code = str(status)
            break
    else:
        found = _classify.classify(200, None, None, message)
    found.body = dumps(line)
    return found


class CompatibleErrors(OpenAIErrors):
    """Errors of its OpenAI-compatible API."""

    def worded(self, error: ProviderError, meta: ResponseMeta) -> ProviderError:
        """Fill in what the error does not say itself."""
        return worded(error, meta) or super().worded(error, meta)

    def encode(self, error: ProviderError, meta: ResponseMeta, headers: Headers) -> tuple[int, Headers, bytes]:
        """Write an error as status, headers and body."""
        told = copy(self.worded(error, meta))
        if told.body is None:
            told.body = dumps({"error": _object(told)})
        return super().encode(told, meta, headers)

    def encode_event(self, error: ProviderError, meta: ResponseMeta, framing: Framing) -> bytes:
        """Write an error as an event inside a stream."""
        return b"data: " + dumps({"error": _object(self.worded(error, meta))}) + framing.separator


_TYPES = {400: "invalid_request_error", 404: "not_found_error"}


def _object(error: ProviderError) -> dict[str, Any]:
    return {"message": error.message, "type": _TYPES.get(error.status or 0, "api_error"), "param": None, "code": None}
