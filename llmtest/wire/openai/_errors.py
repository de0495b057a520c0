"""OpenAI's errors in OpenAI's words, both directions."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
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
)
from llmtest.wire import _classify
from llmtest.wire._headers import format_duration, header, number
from llmtest.wire._json import dumps
from llmtest.wire._records import Headers, LimitState, ResponseMeta

_INVALID = "invalid_request_error"
_HELP = "help.openai.com"
_RETRY = f"You can retry your request, or contact us through our help center at {_HELP}"

Wording = tuple[int, str, str | None, str | None, str]
"""Status, type, code, param, message."""


def decode_error(status: int, headers: Mapping[str, str], body: bytes, *, now: datetime) -> ProviderError:
    """Read an error of OpenAI or of a server that speaks like it."""
    parsed = _classify.read_body(body)
    return _classify.decode(
        status,
        headers,
        body,
        now=now,
        request_id=header(headers, "x-request-id") or header(headers, "apim-request-id"),
        facts=_facts(parsed),
        parsed=parsed,
    )


def _facts(parsed: Mapping[str, Any]) -> dict[str, Any]:
    error = parsed.get("error", parsed)
    error = error if isinstance(error, dict) else {}
    return {
        "code": _classify.text_of(error.get("code")),
        "type": _classify.text_of(error.get("type")),
        "param": error.get("param"),
    }


def decode_stream_error(chunk: Mapping[str, Any]) -> ProviderError:
    """Read an error that came as an event."""
    facts = _facts(chunk)
    error = chunk.get("error")
    message = error.get("message") if isinstance(error, dict) else error if isinstance(error, str) else None
    found = _classify.classify(200, facts["code"], facts["type"], str(message or "An error occurred during streaming"))
    found.body = dumps(chunk)
    return found


def masked(api_key: str | None) -> str:
    """Show of a key what OpenAI shows."""
    if not api_key:
        return "sk-llmte*****test"
    if len(api_key) <= 12:
        return "*" * len(api_key)
    return api_key[:8] + "*" * (len(api_key) - 12) + api_key[-4:]


def _rate_limited(error: RateLimitedError, meta: ResponseMeta) -> Wording:
    if error.limit_kind == "concurrent":
        return 429, "requests", "rate_limit_exceeded", None, "Too many concurrent requests. Please try again later."
    kind = "tokens" if error.limit_kind == "tokens" else "requests"
    unit = {"tokens": "tokens per min (TPM)", "daily": "requests per day (RPD)"}.get(
        error.limit_kind, "requests per min (RPM)"
    )
    limits = meta.limits
    state = None if limits is None else limits.tokens if kind == "tokens" else limits.requests
    state = state or (LimitState(200_000, 0) if kind == "tokens" else LimitState(500, 0))
    asked = max(1, state.remaining + 1)
    wait = "" if error.retry_after is None else f"Please try again in {format_duration(error.retry_after)}. "
    message = (
        f"Rate limit reached for {error.model or meta.model or 'gpt-4o'} in organization "
        f"{meta.organization} on {unit}: Limit {state.limit}, Used {state.limit - state.remaining}, "
        f"Requested {asked}. {wait}"
        "Visit https://platform.openai.com/account/rate-limits to learn more."
    )
    return 429, kind, "rate_limit_exceeded", None, message


def _authentication(_: ProviderError, meta: ResponseMeta) -> Wording:
    if meta.api_key == "":
        message = (
            "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer "
            "auth (i.e. Authorization: Bearer YOUR_KEY), or as the password field (with blank username) if you're "
            "accessing the API from your browser and are prompted for a username and password. You can obtain an API "
            "key from https://platform.openai.com/account/api-keys."
        )
        return 401, "invalid_request_error", None, None, message
    message = f"Incorrect API key provided: {masked(meta.api_key)}. You can find your API key at "
    return (
        401,
        "invalid_request_error",
        "invalid_api_key",
        None,
        message + "https://platform.openai.com/account/api-keys.",
    )


def _too_long(error: ContextLengthExceededError, _: ResponseMeta) -> Wording:
    most = error.max_tokens or 128_000
    message = (
        f"This model's maximum context length is {most} tokens. However, your messages resulted in "
        f"{error.requested_tokens or most + 1} tokens. Please reduce the length of the messages."
    )
    return 400, "invalid_request_error", "context_length_exceeded", "messages", message


def _too_large(error: RequestTooLargeError, meta: ResponseMeta) -> Wording:
    if error.status == 429:
        limit = meta.limits.tokens.limit if meta.limits is not None and meta.limits.tokens is not None else 30_000
        message = (
            f"Request too large for {error.model or meta.model or 'gpt-4o'} in organization {meta.organization} on "
            f"tokens per min (TPM): Limit {limit}, Requested {limit + 1}. The input or output tokens must be reduced "
            "in order to run successfully. Visit https://platform.openai.com/account/rate-limits to learn more."
        )
        return 429, "tokens", "rate_limit_exceeded", None, message
    return 413, "invalid_request_error", "request_too_large", None, "Request body is too large."


def _plain(status: int, code: str | None, message: str, kind: str = _INVALID) -> Callable[[Any, ResponseMeta], Wording]:
    return lambda _error, _meta: (status, kind, code, None, message)


def _invalid(error: InvalidRequestError, _: ResponseMeta) -> Wording:
    if error.status in _classify.INVALID_WORDS:
        return error.status, _INVALID, None, None, _classify.INVALID_WORDS[error.status]
    param = error.param or "stop"
    message = f"Unsupported parameter: '{param}' is not supported with this model."
    return 400, _INVALID, "unsupported_parameter", param, message


def _no_model(error: ModelNotFoundError, meta: ResponseMeta) -> Wording:
    model = error.model or meta.model or "gpt-4o"
    return (
        404,
        _INVALID,
        "model_not_found",
        None,
        f"The model `{model}` does not exist or you do not have access to it.",
    )


def _server_wording(error: ProviderError, meta: ResponseMeta) -> Wording:
    status = error.status or (503 if isinstance(error, OverloadedError) else 500)
    if isinstance(error, OverloadedError):
        message = f"That model is currently overloaded with other requests. {_RETRY} if the error persists."
    else:
        message = (
            f"The server had an error processing your request. Sorry about that! {_RETRY} if you keep seeing this "
        )
        message += f"error. (Please include the request ID {error.request_id or meta.request_id} in your email.)"
    return status, "server_error", None, None, message


_WORDINGS: tuple[tuple[type[ProviderError], Callable[[Any, ResponseMeta], Wording]], ...] = (
    (RateLimitedError, _rate_limited),
    (
        QuotaExceededError,
        _plain(
            429,
            "insufficient_quota",
            "You exceeded your current quota, please check your plan and billing details. For more information on this "
            "error, read the docs: https://platform.openai.com/docs/guides/error-codes/api-errors.",
            "insufficient_quota",
        ),
    ),
    (AuthenticationError, _authentication),
    (
        PermissionDeniedError,
        _plain(
            403,
            "missing_scope",
            "You have insufficient permissions for this operation. Missing scopes: model.request. Check that you have "
            "the correct role in your organization (Reader, Writer, Owner) and project (Member, Owner), and if you're "
            "using a restricted API key, that it has the necessary scopes.",
        ),
    ),
    (ContextLengthExceededError, _too_long),
    (RequestTooLargeError, _too_large),
    (InvalidRequestError, _invalid),
    (
        ContentFilteredError,
        _plain(
            400,
            "content_policy_violation",
            "Invalid prompt: your prompt was flagged as potentially violating our usage policy. Please try again with "
            "a different prompt: https://platform.openai.com/docs/guides/reasoning#advice-on-prompting",
        ),
    ),
    (ModelNotFoundError, _no_model),
    (NotSupportedError, _plain(501, None, "This operation is not supported by this server.", "NotImplementedError")),
    (ProviderTimeoutError, _plain(408, None, "Request timed out.", "server_error")),
)
"""Which words go with which class; the first class that fits."""


def _wording(error: ProviderError, meta: ResponseMeta) -> Wording:
    found = next((write for kind, write in _WORDINGS if isinstance(error, kind)), _server_wording)
    return found(error, meta)


def worded(error: ProviderError, meta: ResponseMeta) -> ProviderError:
    """Fill in what the error does not say itself."""
    status, kind, code, _, message = _wording(error, meta)
    status = error.status if error.status is not None and error.status >= 400 else status
    page = _classify.gateway_page(status)
    if page is not None and not error.message and error.body is None:
        error.body = page
        message, code = page.decode(), None
        return _classify.fill(error, status=status, code=None, message=message.strip(), request_id=meta.request_id)
    return _classify.fill(error, status=status, code=code or kind, message=message, request_id=meta.request_id)


def error_object(error: ProviderError, meta: ResponseMeta) -> dict[str, Any]:
    """Write the `error` object, with all four keys."""
    _, kind, code, param, _ = _wording(error, meta)
    own_words = bool(error.message)
    if error.code is not None and error.code != code:
        code = None if error.code == kind else error.code
    worded(error, meta)
    if isinstance(error, InvalidRequestError):
        param = error.param or (None if own_words else param)
    return {"message": error.message, "type": kind, "param": param, "code": code}


def encode_error(error: ProviderError, meta: ResponseMeta, headers: Headers) -> tuple[int, Headers, bytes]:
    """Write an error; `headers` are those of any answer."""
    body = error.body
    if body is None:
        content = {"error": error_object(error, meta)}
        body = error.body if error.body is not None else dumps(content)
    status = worded(error, meta).status or 500
    kind = "application/json" if body.lstrip()[:1] in {b"{", b"["} else "text/html; charset=utf-8"
    found = [("content-type", kind), *(pair for pair in headers if pair[0] != "content-type")]
    if error.retry_after is not None:
        found.append(("retry-after", str(math.ceil(error.retry_after))))
        found.append(("retry-after-ms", number(round(error.retry_after * 1000, 6))))
    if error.should_retry is not None:
        found.append(("x-should-retry", "true" if error.should_retry else "false"))
    return status, tuple(found), body
