"""OpenRouter's errors: the code is the status as a number, `metadata` says which provider behind it failed, and how.

Source: openrouter.ai/docs/api/reference/errors-and-debugging.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from datetime import datetime
from typing import Any

from llmtest.errors import (
    AuthenticationError,
    ContentFilteredError,
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
from llmtest.wire._records import Headers, ResponseMeta
from llmtest.wire.framing import Framing
from llmtest.wire.openai._spoken_errors import OpenAIErrors

__all__ = ["OpenRouterErrors", "vendor_of"]

_VENDORS = {
    "anthropic": "Anthropic",
    "cohere": "Cohere",
    "deepseek": "DeepSeek",
    "google": "Google",
    "meta-llama": "Together",
    "mistralai": "Mistral",
    "openai": "OpenAI",
    "qwen": "Alibaba",
    "x-ai": "xAI",
}
_UPSTREAM = "Provider returned error"
_DONE = b"data: [DONE]\n\n"
_WORDS: tuple[tuple[type[ProviderError], int, str], ...] = (
    (RateLimitedError, 429, _UPSTREAM),
    (QuotaExceededError, 402, "Insufficient credits. Add more using https://openrouter.ai/settings/credits"),
    (AuthenticationError, 401, "User not found."),
    (
        PermissionDeniedError,
        403,
        "Key limit exceeded (total limit). Manage it using https://openrouter.ai/settings/keys",
    ),
    (RequestTooLargeError, 413, "Request body is too large."),
    (ModelNotFoundError, 404, "No endpoints found for {model}."),
    (InvalidRequestError, 400, 'Input required: specify "prompt" or "messages"'),
    (ContentFilteredError, 403, '{model} requires moderation on {vendor}. Your input was flagged for "violence".'),
    (NotSupportedError, 501, "Not implemented"),
    (ProviderTimeoutError, 408, "Request timed out"),
    (OverloadedError, 503, "There is no available model provider that meets your routing requirements"),
    (ServerError, 500, "Internal Server Error"),
)


def vendor_of(model: str | None) -> str:
    """Return the name of the provider that answers for a model, by the vendor's name before its slash."""
    vendor, slash, _ = (model or "").partition("/")
    return _VENDORS.get(vendor, vendor.title()) if slash and vendor else "OpenAI"


def _too_long(error: ContextLengthExceededError) -> str:
    most = error.max_tokens or 128_000
    asked = error.requested_tokens or most + 1
    return (
        f"This endpoint's maximum context length is {most} tokens. However, you requested about {asked} tokens "
        f'({asked} of text input). Please reduce the length of either one, or use the "middle-out" transform to '
        "compress your prompt automatically."
    )


def _word(error: ProviderError, meta: ResponseMeta) -> tuple[int, str]:
    """Return status and message."""
    model = error.model or meta.model or "openai/gpt-4o"
    if isinstance(error, ContextLengthExceededError):
        return 400, _too_long(error)
    if isinstance(error, AuthenticationError) and meta.api_key == "":
        return 401, "No auth credentials found"
    if error.status in (502, 504, 529):
        return error.status, _UPSTREAM
    found = next(((status, text) for kind, status, text in _WORDS if isinstance(error, kind)), (500, _WORDS[-1][2]))
    return found[0], found[1].format(model=model, vendor=vendor_of(model))


def _metadata(error: ProviderError, meta: ResponseMeta) -> dict[str, Any] | None:
    """Return what is told beside the message: who failed behind OpenRouter, or what was flagged."""
    model = error.model or meta.model or "openai/gpt-4o"
    if isinstance(error, ContentFilteredError):
        return {
            "reasons": ["violence"],
            "flagged_input": "",
            "provider_name": vendor_of(model),
            "model_slug": model,
        }
    if error.message != _UPSTREAM:
        return None
    raw = f"{model} is temporarily rate-limited upstream. Please retry shortly, or add your own key to accumulate "
    raw += "your rate limits: https://openrouter.ai/settings/integrations"
    if not isinstance(error, RateLimitedError):
        raw = "upstream connect error or disconnect/reset before headers"
    return {"raw": raw, "provider_name": vendor_of(model)}


class OpenRouterErrors(OpenAIErrors):
    """Errors of OpenRouter."""

    def decode(self, status: int, headers: Mapping[str, str], body: bytes, now: datetime) -> ProviderError:
        """Read an error; what is flagged and what nobody serves have statuses that mean other things elsewhere."""
        error = super().decode(status, headers, body, now)
        kind = _kind_of(error, body)
        if kind is None:
            return error
        found = kind(error.message, status=error.status, code=error.code)
        for name in ("request_id", "body", "retry_after", "should_retry"):
            setattr(found, name, getattr(error, name))
        return found

    def worded(self, error: ProviderError, meta: ResponseMeta) -> ProviderError:
        """Fill in what the error does not say itself."""
        known, message = _word(error, meta)
        if isinstance(error, ContentFilteredError) and error.status == 400:
            error.status = None  # What is flagged is forbidden here.
        status = error.status if error.status is not None and error.status >= 400 else known
        return _classify.fill(error, status=status, code=None, message=message, request_id=meta.request_id)

    def encode(self, error: ProviderError, meta: ResponseMeta, headers: Headers) -> tuple[int, Headers, bytes]:
        """Write an error as status, headers and body."""
        told = copy(self.worded(error, meta))
        if told.body is None:
            told.body = dumps({"error": _object(told, meta), "user_id": "user_llmtest"})
        return super().encode(told, meta, headers)

    def encode_event(self, error: ProviderError, meta: ResponseMeta, framing: Framing) -> bytes:
        """Write an error as an event inside a stream: a chunk that ends it, although the status was a success."""
        told = self.worded(error, meta)
        model = told.model or meta.model
        choice = {
            "index": 0,
            "delta": {"role": "assistant", "content": ""},
            "finish_reason": "error",
            "native_finish_reason": "error",
            "logprobs": None,
        }
        chunk = {
            "id": meta.id,
            "provider": vendor_of(model),
            "model": model,
            "object": "chat.completion.chunk",
            "created": meta.created_s,
            "choices": [choice],
            "error": _object(told, meta),
        }
        return b"data: " + dumps(chunk) + framing.separator + _DONE


def _kind_of(error: ProviderError, body: bytes) -> type[ProviderError] | None:
    if isinstance(error, PermissionDeniedError):
        told = _classify.read_body(body).get("error")
        metadata = told.get("metadata") if isinstance(told, dict) else None
        return ContentFilteredError if isinstance(metadata, dict) and metadata.get("reasons") else None
    if isinstance(error, InvalidRequestError) and type(error) is InvalidRequestError:
        nobody = error.message.startswith("No endpoints found") or error.message.endswith("is not a valid model ID")
        return ModelNotFoundError if nobody else None
    return None


def _object(error: ProviderError, meta: ResponseMeta) -> dict[str, Any]:
    found: dict[str, Any] = {"message": error.message, "code": error.status or 500}
    metadata = _metadata(error, meta)
    return found if metadata is None else {**found, "metadata": metadata}
