"""From status, code and wording to one class of the error tree; shared by the dialects that answer with JSON."""

from __future__ import annotations

import re
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
    RateLimitKind,
    RequestTooLargeError,
    ServerError,
)
from llmtest.wire._headers import parse_retry_after, parse_should_retry
from llmtest.wire._json import loads

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
_BY_CODE: dict[str, type[ProviderError]] = {
    "insufficient_quota": QuotaExceededError,
    "billing_error": QuotaExceededError,
    "billing_hard_limit_reached": QuotaExceededError,
    "rate_limit_exceeded": RateLimitedError,
    "rate_limit_error": RateLimitedError,
    "invalid_api_key": AuthenticationError,
    "authentication_error": AuthenticationError,
    "permission_error": PermissionDeniedError,
    "model_not_found": ModelNotFoundError,
    "not_found_error": ModelNotFoundError,
    "DeploymentNotFound": ModelNotFoundError,
    "context_length_exceeded": ContextLengthExceededError,
    "content_filter": ContentFilteredError,
    "content_policy_violation": ContentFilteredError,
    "request_too_large": RequestTooLargeError,
    "overloaded_error": OverloadedError,
    "server_is_overloaded": OverloadedError,
    "slow_down": OverloadedError,
    "gateway_timeout_error": ServerError,
    "timeout_error": ServerError,
    "server_error": ServerError,
    "api_error": ServerError,
    "internal_server_error": ServerError,
    "invalid_request_error": InvalidRequestError,
}
INVALID_WORDS = {409: "The resource was updated by another request.", 422: "The request could not be processed."}
"""What is said to a wrong request whose status says more than that it is wrong."""
_WINDOW = r"maximum context length is (?P<max>\d+) tokens?"
_TOO_LONG = (
    re.compile(_WINDOW + r".*?(?:resulted in|for a total of at least) (?P<asked>\d+)", re.DOTALL),
    re.compile(_WINDOW + r".*?requested (?:about )?(?P<asked>\d+) tokens", re.DOTALL),
    re.compile(_WINDOW),
    re.compile(r"prompt is too long: (?P<asked>\d+) tokens > (?P<max>\d+)"),
    re.compile(r"exceed context limit: (?P<asked>\d+ \+ \d+|\d+) > (?P<max>\d+)"),
    re.compile(r"prompt is too long|exceeds the context window|exceeds the available context size"),
    re.compile(r"exceed context limit|longer than the model's context length"),
)
_FILTERED = (
    "content management policy",
    "content filtering policy",
    "violating our usage policy",
    "rejected as a result of our safety system",
    "ResponsibleAIPolicyViolation",
)
_NO_CREDIT = ("credit balance is too low", "exceeded your current quota, please check your plan and billing")
_TRY_AGAIN = re.compile(r"(?:try again in|retry after) (?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?) ?(ms|s|second))?")


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
    error.request_id = request_id
    error.body = body
    wait = parse_retry_after(headers, now)
    error.retry_after = wait if wait is not None else _wait_in_words(message) if status == 429 else None
    error.should_retry = parse_should_retry(headers)
    if isinstance(error, InvalidRequestError):
        error.param = text_of(facts.get("param"))
    return error


def classify(status: int | None, code: str | None, kind: str | None, message: str) -> ProviderError:
    """Choose the class; `status` is None or 200 for an error that came inside a success."""
    found = _by_words(status, code, kind, message)
    if found is None and (status is None or status < 400):
        found = _BY_CODE.get(code or "") or _BY_CODE.get(kind or "") or _by_number(code) or ServerError
    if found is None:
        found = _BY_STATUS.get(status or 0) or (ServerError if (status or 0) >= 500 else InvalidRequestError)
        if found is ModelNotFoundError and not _names_model(code, kind, message):
            found = InvalidRequestError
    error = found(message, status=status, code=code or kind)
    if isinstance(error, RateLimitedError):
        error.limit_kind = limit_kind(kind, message)
    if isinstance(error, ContextLengthExceededError):
        _read_sizes(error)
    return error


def _by_number(code: str | None) -> type[ProviderError] | None:
    if code is None or not code.isdecimal():
        return None
    return _BY_STATUS.get(int(code)) or (ServerError if int(code) >= 500 else InvalidRequestError)


def _names_model(code: str | None, kind: str | None, message: str) -> bool:
    known = {code, kind} & {"model_not_found", "DeploymentNotFound"}
    return bool(known) or "model" in message.lower()


def _by_words(status: int | None, code: str | None, kind: str | None, message: str) -> type[ProviderError] | None:
    """Look for what the status does not tell: several failures share 400 and 429."""
    if (status or 0) >= 500 or status in {401, 403}:
        return None
    spent = "insufficient_quota" in {code, kind} or (code or "").endswith("spend_limit_reached")
    if spent or any(words in message for words in _NO_CREDIT):
        return QuotaExceededError
    if status == 429:
        return RequestTooLargeError if message.startswith("Request too large for") else None
    if code == "context_length_exceeded" or any(pattern.search(message) for pattern in _TOO_LONG):
        return ContextLengthExceededError
    if code in {"content_filter", "content_policy_violation"} or any(words in message for words in _FILTERED):
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


def _read_sizes(error: ContextLengthExceededError) -> None:
    for pattern in _TOO_LONG:
        match = pattern.search(error.message)
        if match:
            sizes = match.groupdict()
            if sizes.get("max"):
                error.max_tokens = int(sizes["max"])
            if sizes.get("asked"):
                error.requested_tokens = sum(int(size) for size in sizes["asked"].split("+"))
            return


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


def gateway_page(status: int) -> bytes | None:
    """Return the HTML that a gateway before the provider answers with; None for a status that is the provider's own."""
    title = {502: "502 Bad Gateway", 504: "504 Gateway Time-out"}.get(status)
    if title is None:
        return None
    page = f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n"
    return (page + "<hr><center>cloudflare</center>\r\n</body>\r\n</html>\r\n").encode()
