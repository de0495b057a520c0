"""Cohere's errors: an id and a message."""

from __future__ import annotations

import re
from typing import Any

from llmtest.errors import (
    AuthenticationError,
    ContextLengthExceededError,
    ModelNotFoundError,
    OverloadedError,
    ProviderError,
    RateLimitedError,
    ServerError,
)
from llmtest.wire._json import dump_text, dumps
from llmtest.wire._json_errors import JsonErrors
from llmtest.wire._own_words import OwnWords, Said
from llmtest.wire._records import Headers, ResponseMeta
from llmtest.wire._vocabulary import Vocabulary
from llmtest.wire.framing import Framing, frame, line

__all__ = ["ERRORS", "VOCABULARY"]

VOCABULARY = Vocabulary(
    too_long=(re.compile(r"too many tokens: .*?The limit for this model is (?P<max>\d+) tokens", re.DOTALL),)
)


class _Plain(JsonErrors):
    """Errors that are a message, and nothing that tells one from another."""

    def encode(self, error: ProviderError, meta: ResponseMeta, headers: Headers) -> tuple[int, Headers, bytes]:
        """Write an error as status, headers and body."""
        self.worded(error, meta)
        if error.body is None:
            error.body = dumps(_body(meta, error.message))
        return super().encode(error, meta, headers)

    def encode_event(self, error: ProviderError, meta: ResponseMeta, framing: Framing) -> bytes:
        """Write an error as the event that ends a stream."""
        message = self.worded(error, meta).message
        if framing.name == "ndjson":
            said = {"response_id": meta.id, "text": message, "finish_reason": "ERROR"}
            end = {"is_finished": True, "event_type": "stream-end", "finish_reason": "ERROR", "response": said}
            return line(dump_text(end))
        delta = {"error": message, "finish_reason": "ERROR"}
        return frame(dump_text({"type": "message-end", "delta": delta}), "message-end")


def _body(meta: ResponseMeta, message: str) -> dict[str, Any]:
    return {"id": meta.request_id or meta.id, "message": message}


def _too_long(error: ContextLengthExceededError, meta: ResponseMeta) -> dict[str, Any]:
    most = error.max_tokens or 128_000
    over = (error.requested_tokens or most + 1) - most
    message = (
        f"too many tokens: size limit exceeded by {over} tokens. Try using shorter or fewer inputs. The limit for this "
        f"model is {most} tokens."
    )
    return _body(meta, message)


def _no_model(error: ModelNotFoundError, meta: ResponseMeta) -> dict[str, Any]:
    name = error.model or meta.model
    message = (
        f"model '{name}' not found, make sure the correct model ID was used and that you have access to the model."
    )
    return _body(meta, message)


def _rate_limited(_: RateLimitedError, meta: ResponseMeta) -> dict[str, Any]:
    message = (
        "You are using a Trial key, which is limited to 40 API calls / minute. You can continue to use the Trial key "
        "for free or upgrade to a Production key with higher rate limits at 'https://dashboard.cohere.com/api-keys'. "
        "Contact us on 'https://discord.gg/XW44jPfYJu' or email us at support@cohere.com with any questions"
    )
    return _body(meta, message)


ERRORS = OwnWords(
    _Plain(),
    (
        Said(RateLimitedError, 429, _rate_limited),
        Said(AuthenticationError, 401, lambda _, meta: _body(meta, "invalid api token")),
        Said(ContextLengthExceededError, 400, _too_long),
        Said(ModelNotFoundError, 404, _no_model),
        Said(OverloadedError, 503, lambda _, meta: _body(meta, "service unavailable")),
        Said(ServerError, 500, lambda _, meta: _body(meta, "internal server error, please try again later")),
    ),
)
