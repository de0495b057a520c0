"""From status, code and wording to one class of the error tree; the words are the vendors' own (`_vocabulary`)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
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
    RateLimitKind,
    RequestTooLargeError,
    ServerError,
    SessionExpiredError,
)
from llmtest.wire._headers import parse_retry_after, parse_should_retry
from llmtest.wire._json import loads
from llmtest.wire._vocabulary import Vocabulary, everyone

_BY_STATUS: dict[int, type[ProviderError]] = {
    401: AuthenticationError,
    402: QuotaExceededError,
    403: PermissionDeniedError,
    404: ModelNotFoundError,
    408: ProviderTimeoutError,
    413: RequestTooLargeError,
    429: RateLimitedError,
    501: NotSupportedError,
    503: OverloadedError,
    529: OverloadedError,
}
INVALID_WORDS = {409: "The resource was updated by another request.", 422: "The request could not be processed."}
"""What is said to a wrong request whose status says more than that it is wrong."""
_TRY_AGAIN = re.compile(r"(?:try again in|retry after) (?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?) ?(ms|s|second))?")

_ASKED = re.compile(r"requested up to ([\d,]+) tokens")
_AFFORDED = re.compile(r"can only afford ([\d,]+)")
"""OpenRouter's words for a request that the credits left do not pay for."""
_BACK = re.compile(r"regain access on (\d{4}-\d{2}-\d{2})(?: at (\d{2}:\d{2}) UTC)?")
"""Anthropic's words for a limit on spending that somebody set."""


_SESSION_ENDED = re.compile(r"(?is)(?=.*session).*(?:expired|invalid)")
"""What a refusal of a session's token says in its code or its text, as IronClaw reads NEAR AI's."""
_IS_PAGE = re.compile(r"\s*<(?:!doctype|html|head|body|\?xml)", re.IGNORECASE)
_TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)
LONGEST_TITLE = 120
"""Characters of a page's title that a message shows."""


def read_body(body: bytes) -> dict[str, Any]:
    """Return the body as a mapping; empty where it is anything else."""
    try:
        parsed = loads(body)
    except ValueError:
        return {}
    if isinstance(parsed, list) and len(parsed) == 1:
        parsed = parsed[0]
    return parsed if isinstance(parsed, dict) else {}


def message_of(parsed: Mapping[str, Any], status: int, body: bytes) -> str:
    """Return the provider's own words, in whichever of the usual places they are."""
    error = parsed.get("error", parsed)
    if isinstance(error, str) and error:
        return error
    if isinstance(error, dict):
        for name in ("message", "detail", "error"):
            if isinstance(error.get(name), str) and error[name]:
                return str(error[name])
    text = body.decode(errors="replace").strip()
    return text[:300] if text else f"HTTP {status}"


def text_of(value: object) -> str | None:
    """Return a code as text; some servers write numbers."""
    return None if value is None or value == "" else str(value)


def decode(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    *,
    now: datetime,
    request_id: str | None,
    facts: Mapping[str, Any],
    parsed: Mapping[str, Any],
) -> ProviderError:
    """Make the error of a failed answer.

    Args:
        status: HTTP status.
        headers: Headers of the answer.
        body: Body as received.
        now: For a `Retry-After` that is a date.
        request_id: The provider's id of the request.
        facts: `code`, `type` and `param` as the dialect found them.
        parsed: The body as a mapping; empty where it is none.
    """
    message = message_of(parsed, status, body)
    error = classify(status, facts.get("code"), facts.get("type"), message)
    if not parsed and _IS_PAGE.match(message):
        error.message = _told_of(message, status, len(body))
        error.args = (error.message,)
    error.request_id = request_id
    error.body = body
    wait = parse_retry_after(headers, now)
    error.retry_after = wait if wait is not None else _wait_in_words(message) if status == 429 else None
    error.should_retry = parse_should_retry(headers)
    if isinstance(error, InvalidRequestError):
        error.param = text_of(facts.get("param"))
    if isinstance(error, QuotaExceededError) and error.retry_after is not None and error.reset_time is None:
        error.reset_time = now + timedelta(seconds=error.retry_after)
    return error


def _told_of(page: str, status: int, size: int) -> str:
    """Return what is said of a page that came instead of an error: its title, and not what is drawn around it."""
    title = _TITLE.search(page)
    named = f" titled `{' '.join(title[1].split())[:LONGEST_TITLE]}`" if title else ""
    return f"HTTP {status} with a page of HTML{named} instead of an error; its {size} bytes are in `.body`"


def classify(status: int | None, code: str | None, kind: str | None, message: str) -> ProviderError:
    """Choose the class; `status` is None or 200 for an error that came inside a success."""
    words = everyone()
    found = _by_words(status, code, kind, message, words)
    if found is None and (status is None or status < 400):
        found = words.codes.get(code or "") or words.codes.get(kind or "") or _by_number(code) or ServerError
    if found is None:
        found = _BY_STATUS.get(status or 0) or (ServerError if (status or 0) >= 500 else InvalidRequestError)
        if found is ModelNotFoundError and not _names_model(code, kind, message):
            found = InvalidRequestError
    if found is AuthenticationError and _SESSION_ENDED.match(f"{code or kind} {message}"):
        found = SessionExpiredError
    error = found(message, status=status, code=code or kind)
    if isinstance(error, RateLimitedError):
        error.limit_kind = limit_kind(kind, message)
    if isinstance(error, ContextLengthExceededError):
        _read_sizes(error, words.too_long)
    if isinstance(error, QuotaExceededError):
        _read_credit(error)
    return error


def _by_number(code: str | None) -> type[ProviderError] | None:
    if code is None or not code.isdecimal():
        return None
    return _BY_STATUS.get(int(code)) or (ServerError if int(code) >= 500 else InvalidRequestError)


def _names_model(code: str | None, kind: str | None, message: str) -> bool:
    codes = everyone().codes
    known = any(codes.get(word or "") is ModelNotFoundError and word != "not_found_error" for word in (code, kind))
    return known or "model" in message.lower()


def _by_words(
    status: int | None, code: str | None, kind: str | None, message: str, words: Vocabulary
) -> type[ProviderError] | None:
    """Look for what the status does not tell: several failures share 400 and 429."""
    if (status or 0) >= 500 or status in {401, 403}:
        return None
    spent = "insufficient_quota" in {code, kind} or (code or "").endswith("spend_limit_reached")
    if spent or any(piece in message for piece in words.no_credit):
        return QuotaExceededError
    if status == 429:
        return RequestTooLargeError if message.startswith("Request too large for") else None
    if code == "context_length_exceeded" or any(pattern.search(message) for pattern in words.too_long):
        return ContextLengthExceededError
    if code in {"content_filter", "content_policy_violation"} or any(piece in message for piece in words.filtered):
        return ContentFilteredError
    return ModelNotFoundError if code == "model_not_found" else None


def limit_kind(kind: str | None, message: str) -> RateLimitKind:
    """Read which limit was reached."""
    text = message.lower()
    if "per day" in text or "(rpd)" in text or "(tpd)" in text:
        return "daily"
    if "concurrent" in text:
        return "concurrent"
    if kind == "tokens" or "tokens per min" in text or "token rate limit" in text:
        return "tokens"
    if kind == "requests" or "requests per min" in text or "call rate limit" in text:
        return "requests"
    return "unknown"


def _read_sizes(error: ContextLengthExceededError, patterns: tuple[re.Pattern[str], ...]) -> None:
    for pattern in patterns:
        match = pattern.search(error.message)
        if match:
            sizes = match.groupdict()
            if sizes.get("max"):
                error.max_tokens = int(sizes["max"])
            if sizes.get("asked"):
                error.requested_tokens = sum(int(size) for size in sizes["asked"].split("+"))
            return


def _read_credit(error: QuotaExceededError) -> None:
    """Read what a refusal for want of credit says: how much was asked for, how much is left, when there is more."""
    asked, left = _ASKED.search(error.message), _AFFORDED.search(error.message)
    error.required = None if asked is None else int(asked[1].replace(",", ""))
    error.available = None if left is None else int(left[1].replace(",", ""))
    back = _BACK.search(error.message)
    if back is not None:
        with suppress(ValueError):
            error.reset_time = datetime.fromisoformat(f"{back[1]}T{back[2] or '00:00'}+00:00")


def _wait_in_words(message: str) -> float | None:
    match = _TRY_AGAIN.search(message)
    if match is None or not any(match.groups()):
        return None
    hours, minutes, rest, unit = match.groups()
    return int(hours or 0) * 3600.0 + int(minutes or 0) * 60.0 + float(rest or 0) / (1000 if unit == "ms" else 1)


def fill(error: ProviderError, *, status: int, code: str | None, message: str, request_id: str | None) -> ProviderError:
    """Fill in what an error does not say itself."""
    error.status = status if error.status is None else error.status
    error.code = code if error.code is None else error.code
    error.request_id = request_id if error.request_id is None else error.request_id
    if not error.message:
        error.message = message
        error.args = (message,)
    return error


def status_of(error: ProviderError) -> tuple[int, str]:
    """Return status and code of an error by its class, as most APIs have them."""
    if error.status is not None and error.status >= 400:
        return error.status, _CODES.get(error.status, "invalid_request" if error.status < 500 else "server_error")
    if isinstance(error, ContextLengthExceededError):
        return 400, "context_length_exceeded"
    if isinstance(error, RequestTooLargeError):
        return 413, "request_too_large"
    if isinstance(error, QuotaExceededError):
        return 402, "insufficient_quota"
    if isinstance(error, InvalidRequestError | ContentFilteredError):
        return 400, "content_filter" if isinstance(error, ContentFilteredError) else "invalid_request"
    found = next((status for status, kind in _BY_STATUS.items() if isinstance(error, kind)), 500)
    return found, _CODES.get(found, "server_error")


def words_of(error: ProviderError) -> str:
    """Return what most APIs would say."""
    if isinstance(error, ContextLengthExceededError):
        most = error.max_tokens or 128_000
        return f"maximum context length is {most} tokens, requested {error.requested_tokens or most + 1} tokens"
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(error).__name__.removesuffix("Error")).lower()
    return f"{name[0].upper()}{name[1:]}."


_CODES = {
    401: "authentication_failed",
    402: "insufficient_quota",
    403: "permission_denied",
    404: "model_not_found",
    408: "timeout",
    413: "request_too_large",
    429: "rate_limited",
    501: "not_supported",
    503: "overloaded",
    529: "overloaded",
}
"""What an API that says nothing else calls a status."""


def gateway_page(status: int) -> bytes | None:
    """Return the HTML that a gateway before the provider answers with; None for a status that is the provider's own."""
    title = {502: "502 Bad Gateway", 504: "504 Gateway Time-out"}.get(status)
    if title is None:
        return None
    page = f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n"
    return (page + "<hr><center>cloudflare</center>\r\n</body>\r\n</html>\r\n").encode()
