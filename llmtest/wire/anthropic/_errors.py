"""Anthropic's errors in Anthropic's words, both directions."""

from __future__ import annotations

from collections.abc import Mapping
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
from llmtest.wire._headers import header, number
from llmtest.wire._json import dumps
from llmtest.wire._records import Headers, ResponseMeta

_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    405: "invalid_request_error",
    408: "timeout_error",
    409: "invalid_request_error",
    413: "request_too_large",
    422: "invalid_request_error",
    429: "rate_limit_error",
    500: "api_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_NO_CREDIT = (
    "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or "
    "purchase credits."
)
NEVER_RETRIED = frozenset({400, 401, 402, 403, 404, 405, 413, 422})
"""Statuses whose answers carry `x-should-retry: false`, as recorded for 401 and 404."""


def decode_error(status: int, headers: Mapping[str, str], body: bytes, *, now: datetime) -> ProviderError:
    """Read an error."""
    parsed = _classify.read_body(body)
    request_id = header(headers, "request-id")
    if request_id is None and isinstance(parsed.get("request_id"), str):
        request_id = parsed["request_id"]
    return _classify.decode(status, headers, body, now=now, request_id=request_id, facts=_facts(parsed), parsed=parsed)


def _facts(parsed: Mapping[str, Any]) -> dict[str, Any]:
    error = parsed.get("error")
    error = error if isinstance(error, dict) else {}
    details = error.get("details")
    code = details.get("error_code") if isinstance(details, dict) else None
    return {"code": _classify.text_of(code), "type": _classify.text_of(error.get("type"))}


def decode_stream_error(event: Mapping[str, Any]) -> ProviderError:
    """Read an error that came as an event."""
    facts = _facts(event)
    error = event.get("error")
    message = error.get("message") if isinstance(error, dict) else None
    found = _classify.classify(200, facts["code"], facts["type"], str(message or "An error occurred during streaming"))
    found.body = dumps(event)
    return found


def _rate_limited(error: RateLimitedError, meta: ResponseMeta) -> str:
    limits = meta.limits
    if error.limit_kind == "tokens":
        state = limits.input_tokens or limits.tokens if limits is not None else None
        what = f"{state.limit if state else 40_000:,} input tokens per minute"
    elif error.limit_kind == "concurrent":
        return (
            "Number of concurrent connections has exceeded your rate limit. Please try again later or contact sales at "
            "https://www.anthropic.com/contact-sales to discuss your options for a rate limit increase."
        )
    else:
        state = limits.requests if limits is not None else None
        what = f"{state.limit if state else 50:,} requests per minute"
    return (
        f"This request would exceed your organization's rate limit of {what} ({meta.organization}). For details, refer "
        "to: https://docs.claude.com/en/api/rate-limits. You can see the response headers for current usage. Please "
        "reduce the prompt length or the maximum tokens requested, or try again later. You may also contact sales at "
        "https://www.anthropic.com/contact-sales to discuss your options for a rate limit increase."
    )


def _wording(error: ProviderError, meta: ResponseMeta) -> tuple[int, str]:
    """Return status and message."""
    if isinstance(error, RateLimitedError):
        return 429, _rate_limited(error, meta)
    if isinstance(error, ContextLengthExceededError):
        most = error.max_tokens or 200_000
        return 400, f"prompt is too long: {error.requested_tokens or most + 1} tokens > {most} maximum"
    if isinstance(error, InvalidRequestError) and error.status in _classify.INVALID_WORDS:
        return error.status, _classify.INVALID_WORDS[error.status]
    plain: tuple[tuple[type[ProviderError], int, str], ...] = (
        (
            QuotaExceededError,
            402,
            _NO_CREDIT,
        ),
        (AuthenticationError, 401, "x-api-key header is required" if meta.api_key == "" else "invalid x-api-key"),
        (PermissionDeniedError, 403, "Your API key does not have permission to use the specified resource."),
        (RequestTooLargeError, 413, "Request exceeds the maximum size"),
        (InvalidRequestError, 400, f"{getattr(error, 'param', None) or 'thinking'}: Extra inputs are not permitted"),
        (ContentFilteredError, 400, "Output blocked by content filtering policy"),
        (ModelNotFoundError, 404, f"model: {error.model or meta.model or 'claude-sonnet-4-6'}"),
        (NotSupportedError, 501, "Not implemented"),
        (ProviderTimeoutError, 408, "Request timed out"),
        (OverloadedError, 529, "Overloaded"),
    )
    found = next(((status, text) for kind, status, text in plain if isinstance(error, kind)), None)
    return found or (500, "Internal server error")


def _type_of(error: ProviderError, status: int) -> str:
    if error.code in _TYPES.values() and error.code is not None:
        return error.code
    if isinstance(error, OverloadedError):
        return "overloaded_error"
    return _TYPES.get(status) or ("api_error" if status >= 500 else "invalid_request_error")


def worded(error: ProviderError, meta: ResponseMeta) -> ProviderError:
    """Fill in what the error does not say itself."""
    status, message = _wording(error, meta)
    status = error.status if error.status is not None and error.status >= 400 else status
    page = _classify.gateway_page(status)
    if page is not None and not error.message and error.body is None:
        error.body = page
        return _classify.fill(
            error, status=status, code=None, message=page.decode().strip(), request_id=meta.request_id
        )
    kind = _type_of(error, status)
    return _classify.fill(error, status=status, code=kind, message=message, request_id=meta.request_id)


def error_object(error: ProviderError, meta: ResponseMeta) -> dict[str, Any]:
    """Write the `error` object; a code that is no type of Anthropic's goes into its details."""
    worded(error, meta)
    status = error.status if error.status is not None and error.status >= 400 else _wording(error, meta)[0]
    kind = _type_of(error, status)
    found: dict[str, Any] = {"type": kind, "message": error.message}
    if error.code is not None and error.code != kind:
        found["details"] = {"error_code": error.code}
    return found


def encode_error(error: ProviderError, meta: ResponseMeta, headers: Headers) -> tuple[int, Headers, bytes]:
    """Write an error; `headers` are those of any answer."""
    body = error.body
    if body is None:
        content = {"type": "error", "error": error_object(error, meta), "request_id": error.request_id}
        body = error.body if error.body is not None else dumps(content)
    status = worded(error, meta).status or 500
    kind = "application/json" if body.lstrip()[:1] in {b"{", b"["} else "text/html; charset=utf-8"
    found = [("content-type", kind), *(pair for pair in headers if pair[0] != "content-type")]
    if error.retry_after is not None:
        found.append(("retry-after", number(error.retry_after)))
    should_retry = error.should_retry
    if should_retry is None and status in NEVER_RETRIED:
        should_retry = False
    if should_retry is not None:
        found.append(("x-should-retry", "true" if should_retry else "false"))
    return status, tuple(found), body
