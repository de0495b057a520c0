"""Bedrock's errors in Amazon's words, both directions.

A failure is a status, the header `x-amzn-errortype` and `{"message": "..."}`; inside a stream it is a message of its
own kind. Names, statuses and words are those of the API's reference:
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_InvokeModel.html
"""

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
    ServerError,
)
from llmtest.wire import _classify
from llmtest.wire._headers import header, number
from llmtest.wire._json import dumps
from llmtest.wire._records import Headers, ResponseMeta
from llmtest.wire.framing import Framing, exception_message

__all__ = ["BedrockErrors", "decode_stream_error"]

_NO_MODEL = "The provided model identifier is invalid."
_KINDS: Mapping[str, type[ProviderError]] = {
    "ThrottlingException": RateLimitedError,
    "ModelNotReadyException": RateLimitedError,
    "ServiceQuotaExceededException": QuotaExceededError,
    "UnrecognizedClientException": AuthenticationError,
    "InvalidSignatureException": AuthenticationError,
    "ExpiredTokenException": AuthenticationError,
    "MissingAuthenticationTokenException": AuthenticationError,
    "AccessDeniedException": PermissionDeniedError,
    "ModelTimeoutException": ProviderTimeoutError,
    "ModelErrorException": ServerError,
    "ModelStreamErrorException": ServerError,
    "InternalServerException": ServerError,
    "ServiceUnavailableException": OverloadedError,
}
"""What a name says, whatever the status."""
_BY_STATUS = {
    400: "ValidationException",
    401: "UnrecognizedClientException",
    402: "ServiceQuotaExceededException",
    403: "AccessDeniedException",
    404: "ResourceNotFoundException",
    408: "ModelTimeoutException",
    413: "RequestEntityTooLargeException",
    424: "ModelErrorException",
    429: "ThrottlingException",
    500: "InternalServerException",
    501: "UnsupportedOperationException",
    503: "ServiceUnavailableException",
}
_STREAMED = frozenset(
    {
        "InternalServerException",
        "ModelStreamErrorException",
        "ModelTimeoutException",
        "ServiceUnavailableException",
        "ThrottlingException",
        "ValidationException",
    }
)
"""What a stream can end with."""
_OTHERS_SAY: dict[int | None, type[ProviderError]] = {
    401: AuthenticationError,
    402: QuotaExceededError,
    404: ModelNotFoundError,
    529: OverloadedError,
}
"""Statuses that other APIs have for a failure to which Amazon gives another."""
_WAIT = ", please wait before trying again."


class BedrockErrors:
    """Bedrock's errors; see `Errors` for the contract."""

    def decode(self, status: int, headers: Mapping[str, str], body: bytes, now: datetime) -> ProviderError:
        """Read an error."""
        parsed = _classify.read_body(body)
        kind = (header(headers, "x-amzn-errortype") or str(parsed.get("__type") or "")).partition(":")[0]
        kind = kind.rpartition("#")[2]
        if "message" not in parsed and isinstance(parsed.get("Message"), str):
            parsed = {**parsed, "message": parsed["Message"]}
        request_id = header(headers, "x-amzn-requestid")
        facts = {"code": kind or None}
        found = _classify.decode(status, headers, body, now=now, request_id=request_id, facts=facts, parsed=parsed)
        return _as_amazon_means_it(found, kind)

    def worded(self, error: ProviderError, meta: ResponseMeta) -> ProviderError:
        """Fill in what the error does not say itself."""
        status, kind, message = _wording(error, meta)
        is_told = bool(error.message) or error.body is not None
        kind_of_status = _OTHERS_SAY.get(error.status)
        if kind_of_status is not None and isinstance(error, kind_of_status) and not is_told:
            error.status = status
        status = error.status if error.status is not None and error.status >= 400 else status
        page = _classify.gateway_page(status) if status == 502 else None
        if page is not None and not is_told:
            error.body = page
            text = page.decode().strip()
            return _classify.fill(error, status=status, code=None, message=text, request_id=meta.request_id)
        if error.code not in _BY_STATUS.values() and error.code not in _KINDS:
            error.code = kind
        return _classify.fill(error, status=status, code=kind, message=message, request_id=meta.request_id)

    def encode(self, error: ProviderError, meta: ResponseMeta, headers: Headers) -> tuple[int, Headers, bytes]:
        """Write an error."""
        self.worded(error, meta)
        body = error.body if error.body is not None else dumps({"message": error.message})
        kind = "application/json" if body.lstrip()[:1] in {b"{", b"["} else "text/html; charset=utf-8"
        found = [("content-type", kind), *(pair for pair in headers if pair[0] != "content-type")]
        if error.code is not None:
            found.append(("x-amzn-errortype", f"{error.code}:http://internal.amazon.com/coral/com.amazon.bedrock/"))
        if error.retry_after is not None:
            found.append(("retry-after", number(error.retry_after)))
        return error.status or 500, tuple(found), body

    def encode_event(self, error: ProviderError, meta: ResponseMeta, framing: Framing) -> bytes:
        """Write an error as a message inside a stream."""
        del framing
        self.worded(error, meta)
        kind = error.code if error.code in _STREAMED else "ModelStreamErrorException"
        return exception_message(kind[0].lower() + kind[1:], error.message)

    def not_found(self, method: str, path: str) -> InvalidRequestError:
        """Say that nothing is at a path."""
        del method, path
        return InvalidRequestError("Not Found", status=404, code="UnknownOperationException")

    def not_allowed(self, method: str, path: str) -> InvalidRequestError:
        """Say that a path has other methods, which Amazon answers as if nothing were there."""
        return self.not_found(method, path)


def _as_amazon_means_it(error: ProviderError, kind: str) -> ProviderError:
    """Return the error in its right class: Amazon says by names what others say by the status."""
    means = _KINDS.get(kind)
    if kind == "ValidationException" and error.message == _NO_MODEL:
        means = ModelNotFoundError
    if means is not None and not isinstance(error, means):
        changed = means(error.message, status=error.status, code=kind, request_id=error.request_id, body=error.body)
        changed.retry_after, changed.should_retry = error.retry_after, error.should_retry
        error = changed
    if isinstance(error, RateLimitedError) and error.limit_kind == "unknown":
        words = error.message.lower()
        error.limit_kind = "daily" if "per day" in words else "tokens" if "tokens" in words else "requests"
    return error


def decode_stream_error(event: Mapping[str, Any]) -> ProviderError:
    """Read an error that came as a message of its own kind."""
    error = event.get("error")
    error = error if isinstance(error, dict) else {}
    kind = str(error.get("type") or "")
    kind = kind[:1].upper() + kind[1:]
    found = _classify.classify(200, kind or None, None, str(error.get("message") or "the stream failed"))
    found.body = dumps(dict(event))
    return _as_amazon_means_it(found, kind)


def _wording(error: ProviderError, meta: ResponseMeta) -> tuple[int, str, str]:
    """Return status, name and message."""
    if isinstance(error, RateLimitedError):
        what = {"tokens": "Too many tokens", "daily": "Too many tokens per day", "concurrent": "Too many connections"}
        return 429, "ThrottlingException", what.get(error.limit_kind, "Too many requests") + _WAIT
    if isinstance(error, InvalidRequestError) and error.status in _classify.INVALID_WORDS:
        return error.status, "ValidationException", _classify.INVALID_WORDS[error.status]
    for kind, status, name, text in _PLAIN:
        if isinstance(error, kind):
            if kind is AuthenticationError and meta.api_key == "":
                return status, "MissingAuthenticationTokenException", "Missing Authentication Token"
            return status, name, text
    status = error.status if error.status is not None and error.status >= 400 else 500
    text = "The system encountered an unexpected error during processing. Try your request again."
    return status, _BY_STATUS.get(status, "InternalServerException"), text


_PLAIN: tuple[tuple[type[ProviderError], int, str, str], ...] = (
    (ContextLengthExceededError, 400, "ValidationException", "Input is too long for requested model."),
    (
        QuotaExceededError,
        400,
        "ServiceQuotaExceededException",
        "Your request exceeds the service quota for your account.",
    ),
    (
        AuthenticationError,
        403,
        "UnrecognizedClientException",
        "The security token included in the request is invalid.",
    ),
    (
        PermissionDeniedError,
        403,
        "AccessDeniedException",
        "You don't have access to the model with the specified model ID.",
    ),
    (ModelNotFoundError, 400, "ValidationException", _NO_MODEL),
    (RequestTooLargeError, 413, "RequestEntityTooLargeException", "Request body is too large."),
    (ContentFilteredError, 400, "ValidationException", "Output blocked by content filtering policy"),
    (
        InvalidRequestError,
        400,
        "ValidationException",
        "Malformed input request, please reformat your input and try again.",
    ),
    (NotSupportedError, 501, "UnsupportedOperationException", "The requested operation is not supported."),
    (
        ProviderTimeoutError,
        408,
        "ModelTimeoutException",
        "Model has timed out in processing the request. Try your request again.",
    ),
    (OverloadedError, 503, "ServiceUnavailableException", "Bedrock is unable to process your request."),
)
