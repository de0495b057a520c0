"""vLLM's errors in its own words: the type is a class's name, the code is the status as a number.

Sources: `vllm/entrypoints/openai` (protocol, serving engine, api server). Servers up to 0.8 wrote the same fields
without `error` around them; both are read.
"""

from __future__ import annotations

from copy import copy
from http import HTTPStatus
from typing import Any

from llmtest.errors import (
    AuthenticationError,
    ContextLengthExceededError,
    InvalidRequestError,
    ModelNotFoundError,
    OverloadedError,
    ProviderError,
    ServerError,
)
from llmtest.wire import _classify
from llmtest.wire._json import dumps
from llmtest.wire._records import Headers, ResponseMeta
from llmtest.wire.framing import Framing
from llmtest.wire.openai._spoken_errors import OpenAIErrors

__all__ = ["VllmErrors"]

_TYPES = {
    400: "BadRequestError",
    404: "NotFoundError",
    422: "UnprocessableEntityError",
    500: "InternalServerError",
    501: "NotImplementedError",
}
_UNAUTHORIZED = b'{"error":"Unauthorized"}'
_DONE = b"data: [DONE]\n\n"


def _too_long(error: ContextLengthExceededError) -> str:
    most = error.max_tokens or 32_768
    asked = error.requested_tokens or most + 1
    return (
        f"This model's maximum context length is {most} tokens. However, you requested 0 output tokens and your prompt "
        f"contains at least {asked} input tokens, for a total of at least {asked} tokens. Please reduce the length of "
        f"the input prompt or the number of requested output tokens. (parameter=input_tokens, value={asked})"
    )


def _word(error: ProviderError, meta: ResponseMeta) -> tuple[int, str, str | None] | None:
    """Return status, message and parameter; None where vLLM has no words of its own for such an error."""
    if isinstance(error, ContextLengthExceededError):
        return 400, _too_long(error), "input_tokens"
    if isinstance(error, ModelNotFoundError):
        return 404, f"The model `{error.model or meta.model or 'default'}` does not exist.", "model"
    if type(error) is InvalidRequestError and error.status in (None, 400):
        return 400, "temperature must be non-negative, got -1.0.", error.param or "temperature"
    if isinstance(error, OverloadedError):
        return 503, "The server is overloaded: too many requests are waiting.", None
    if isinstance(error, ServerError):
        text = "EngineCore encountered an issue. See stack trace (above) for the root cause."
        return error.status or 500, text, None
    return None


class VllmErrors(OpenAIErrors):
    """Errors of vLLM's OpenAI-compatible server; what it never says itself is worded as OpenAI words it."""

    def worded(self, error: ProviderError, meta: ResponseMeta) -> ProviderError:
        """Fill in what the error does not say itself."""
        if isinstance(error, AuthenticationError):
            return _classify.fill(error, status=401, code=None, message="Unauthorized", request_id=meta.request_id)
        found = _word(error, meta)
        status = error.status if error.status is not None and error.status >= 400 else None
        if found is None or (not error.message and _classify.gateway_page(status or found[0]) is not None):
            return super().worded(error, meta)
        return _classify.fill(error, status=status or found[0], code=None, message=found[1], request_id=meta.request_id)

    def encode(self, error: ProviderError, meta: ResponseMeta, headers: Headers) -> tuple[int, Headers, bytes]:
        """Write an error as status, headers and body."""
        own_words = bool(error.message)
        if not (own_words or isinstance(error, AuthenticationError) or _word(error, meta)):
            return super().encode(error, meta, headers)
        told = copy(self.worded(error, meta))
        if told.body is None and isinstance(told, AuthenticationError):
            told.body = _UNAUTHORIZED
        elif told.body is None:
            told.body = dumps({"error": _object(told, meta, own_words=own_words)})
        return super().encode(told, meta, headers)

    def encode_event(self, error: ProviderError, meta: ResponseMeta, framing: Framing) -> bytes:
        """Write an error as an event inside a stream, which ends as every other one does."""
        own_words = bool(error.message)
        told = _object(self.worded(error, meta), meta, own_words=own_words)
        return b"data: " + dumps({"error": told}) + framing.separator + _DONE

    def not_found(self, method: str, path: str) -> InvalidRequestError:
        """Say that nothing is at a path."""
        del method, path
        return InvalidRequestError("Not Found", status=404)

    def not_allowed(self, method: str, path: str) -> InvalidRequestError:
        """Say that a path has other methods."""
        del method, path
        return InvalidRequestError("Method Not Allowed", status=405)


def _object(error: ProviderError, meta: ResponseMeta, *, own_words: bool) -> dict[str, Any]:
    status = error.status or 500
    word = _word(error, meta)
    param = error.param if isinstance(error, InvalidRequestError) else None
    if param is None and word is not None and not own_words:
        param = word[2]
    kind = _TYPES.get(status) or HTTPStatus(status).phrase if status in _KNOWN else "InternalServerError"
    return {"message": error.message, "type": kind, "param": param, "code": status}


_KNOWN = frozenset(status.value for status in HTTPStatus)
