"""Gemini's errors in Google's words, both directions."""

from __future__ import annotations

import math
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
    RequestTooLargeError,
)
from llmtest.wire import _classify
from llmtest.wire._headers import header
from llmtest.wire._json import dumps
from llmtest.wire._records import Headers, ResponseMeta
from llmtest.wire.framing import Framing, frame
from llmtest.wire.gemini.generate._stream import event_text

__all__ = ["NO_ENTITY", "STATUS_OF", "GeminiErrors", "decode_stream_error"]

_STATUS_WORDS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    402: "FAILED_PRECONDITION",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    405: "NOT_FOUND",
    408: "DEADLINE_EXCEEDED",
    409: "ABORTED",
    413: "INVALID_ARGUMENT",
    422: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
    529: "UNAVAILABLE",
}

STATUS_OF = {word: status for status, word in reversed(_STATUS_WORDS.items())}
"""The HTTP status of each of Google's words; the first one where there are several."""
NO_ENTITY = "Requested entity was not found."
"""What is said of anything but a model that is not there, such as a batch."""
_TYPE = "type.googleapis.com/google.rpc."
_TOO_MANY = (
    "You exceeded your current quota, please check your plan and billing details. For more information on this error, "
    "head to: https://ai.google.dev/gemini-api/docs/rate-limits."
)
_SPENT = (
    "Your prepayment credits are depleted. Please go to AI Studio at https://ai.studio/projects to manage your project "
    "and billing."
)
_LIST = "Call ListModels to see the list of available models and their supported methods."
_FAILED = (
    "An internal error has occurred. Please retry or report in "
    "https://developers.generativeai.google/guide/troubleshooting"
)
_OTHERS_SAY: dict[int | None, type[ProviderError]] = {401: AuthenticationError, 402: QuotaExceededError}
"""Statuses that other APIs have for a failure to which Google gives another."""
_DELAY = re.compile(r"(\d+(?:\.\d+)?)s")


class GeminiErrors:
    """Gemini's errors; see `Errors` for the contract."""

    def decode(self, status: int, headers: Mapping[str, str], body: bytes, now: datetime) -> ProviderError:
        """Read an error."""
        parsed = _classify.read_body(body)
        facts = _facts(parsed)
        found = _classify.decode(
            status,
            headers,
            body,
            now=now,
            request_id=header(headers, "x-request-id"),
            facts={"code": facts["status"]},
            parsed=parsed,
        )
        return _as_google_means_it(found, facts)

    def worded(self, error: ProviderError, meta: ResponseMeta) -> ProviderError:
        """Fill in what the error does not say itself."""
        status, message = _wording(error, meta)
        if not error.message and error.body is None and error.status in _OTHERS_SAY:
            error.status = status if isinstance(error, _OTHERS_SAY[error.status]) else error.status
        status = error.status if error.status is not None and error.status >= 400 else status
        page = _classify.gateway_page(status) if status == 502 else None
        if page is not None and not error.message and error.body is None:
            error.body = page
            text = page.decode().strip()
            return _classify.fill(error, status=status, code=None, message=text, request_id=meta.request_id)
        word = _STATUS_WORDS.get(status, "INTERNAL")
        return _classify.fill(error, status=status, code=word, message=message, request_id=meta.request_id)

    def encode(self, error: ProviderError, meta: ResponseMeta, headers: Headers) -> tuple[int, Headers, bytes]:
        """Write an error; a prompt that was blocked is none, but an answer without candidates."""
        if isinstance(error, ContentFilteredError) and error.body is None and error.status in (None, 200, 400):
            return 200, headers, dumps(_blocked(error, meta))
        self.worded(error, meta)
        body = error.body if error.body is not None else dumps({"error": self._object(error, meta)})
        kind = "application/json; charset=UTF-8" if body.lstrip()[:1] in {b"{", b"["} else "text/html; charset=UTF-8"
        found = [("content-type", kind), *(pair for pair in headers if pair[0] != "content-type")]
        return error.status or 500, tuple(found), body

    def encode_event(self, error: ProviderError, meta: ResponseMeta, framing: Framing) -> bytes:
        """Write an error as an event inside a stream."""
        self.worded(error, meta)
        content = {"error": self._object(error, meta)}
        if framing.name != "sse":
            return b",\r\n" + dumps(content)
        return frame(event_text(content).decode()).rstrip(b"\n") + framing.separator

    def _object(self, error: ProviderError, meta: ResponseMeta) -> dict[str, Any]:
        status = error.status if error.status is not None and error.status >= 400 else _wording(error, meta)[0]
        known = error.code in _STATUS_WORDS.values()
        found: dict[str, Any] = {
            "code": status,
            "message": error.message,
            "status": error.code if known else _STATUS_WORDS.get(status, "INTERNAL"),
        }
        details = _details(error, meta)
        if details:
            found["details"] = details
        return found

    def not_found(self, method: str, path: str) -> InvalidRequestError:
        """Say that nothing is at a path."""
        del method
        message = f"The requested URL {path} was not found on this server."
        return InvalidRequestError(message, status=404, code="NOT_FOUND")

    def not_allowed(self, method: str, path: str) -> InvalidRequestError:
        """Say that a path has other methods, which Google answers as if nothing were there."""
        return self.not_found(method, path)


def _facts(parsed: Mapping[str, Any]) -> dict[str, Any]:
    error = parsed.get("error")
    error = error if isinstance(error, dict) else {}
    details = error.get("details")
    found = [each for each in details if isinstance(each, dict)] if isinstance(details, list) else []
    return {"status": _classify.text_of(error.get("status")), "details": found, "code": error.get("code")}


def _as_google_means_it(error: ProviderError, facts: Mapping[str, Any]) -> ProviderError:
    """Return the error in its right class: Google says by details what others say by the status."""
    details = facts["details"]
    if error.status == 400 and any(each.get("reason") == "API_KEY_INVALID" for each in details):
        return _of_class(AuthenticationError, error)
    if isinstance(error, ModelNotFoundError) and error.message == NO_ENTITY:
        return _of_class(InvalidRequestError, error)
    is_spent = "prepayment credits" in error.message
    if facts["status"] == "RESOURCE_EXHAUSTED" and not is_spent and not isinstance(error, RateLimitedError):
        error = _of_class(RateLimitedError, error)
    if isinstance(error, RateLimitedError):
        delay = next((str(each.get("retryDelay")) for each in details if "retryDelay" in each), "")
        match = _DELAY.fullmatch(delay)
        if match is not None and error.retry_after is None:
            error.retry_after = float(match[1])
        told = str(details)
        if "PerDay" in told:
            error.limit_kind = "daily"
        elif "InputTokens" in told or "input_token_count" in told:
            error.limit_kind = "tokens"
        elif "PerMinute" in told or "_requests" in told:
            error.limit_kind = "requests"
    return error


def _of_class(kind: type[ProviderError], error: ProviderError) -> ProviderError:
    found = kind(error.message, status=error.status, code=error.code, request_id=error.request_id, body=error.body)
    found.retry_after, found.should_retry = error.retry_after, error.should_retry
    return found


def decode_stream_error(event: Mapping[str, Any]) -> ProviderError:
    """Read an error that came as an event."""
    facts = _facts(event)
    error = event.get("error")
    message = error.get("message") if isinstance(error, dict) else error
    status = facts["code"] if isinstance(facts["code"], int) and facts["code"] >= 400 else None
    found = _classify.classify(status, facts["status"], None, str(message or "the stream failed"))
    found.body = dumps(dict(event))
    return _as_google_means_it(found, facts)


def _wording(error: ProviderError, meta: ResponseMeta) -> tuple[int, str]:
    """Return status and message."""
    model = error.model or meta.model or "gemini-2.5-flash"
    if isinstance(error, ContextLengthExceededError):
        most = error.max_tokens or 1_048_576
        asked = error.requested_tokens or most + 1
        return 400, f"The input token count ({asked}) exceeds the maximum number of tokens allowed ({most})."
    if isinstance(error, AuthenticationError) and meta.api_key == "":
        return 403, (
            "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or "
            "other form of API consumer identity to call this API."
        )
    if isinstance(error, InvalidRequestError) and error.status in _classify.INVALID_WORDS:
        return error.status, _classify.INVALID_WORDS[error.status]
    plain: tuple[tuple[type[ProviderError], int, str], ...] = (
        (
            RateLimitedError,
            429,
            _TOO_MANY,
        ),
        (
            QuotaExceededError,
            429,
            _SPENT,
        ),
        (AuthenticationError, 400, "API key not valid. Please pass a valid API key."),
        (PermissionDeniedError, 403, "The caller does not have permission"),
        (
            ModelNotFoundError,
            404,
            f"models/{model} is not found for API version v1beta, or is not supported for generateContent. {_LIST}",
        ),
        (RequestTooLargeError, 413, "Request payload size exceeds the limit: 20971520 bytes."),
        (ContentFilteredError, 400, "The prompt was blocked."),
        (InvalidRequestError, 400, "Request contains an invalid argument."),
        (NotSupportedError, 501, "Operation is not implemented, or supported, or enabled."),
        (ProviderTimeoutError, 504, "Deadline expired before operation could complete."),
        (OverloadedError, 503, "The model is overloaded. Please try again later."),
    )
    found = next(((status, text) for kind, status, text in plain if isinstance(error, kind)), None)
    return found or (
        500,
        _FAILED,
    )


def _details(error: ProviderError, meta: ResponseMeta) -> list[dict[str, Any]]:
    """Return what Google tells of a failure beside its words."""
    if isinstance(error, AuthenticationError) and error.status == 400:
        return [
            {
                "@type": f"{_TYPE}ErrorInfo",
                "reason": "API_KEY_INVALID",
                "domain": "googleapis.com",
                "metadata": {"service": "generativelanguage.googleapis.com"},
            },
            {"@type": f"{_TYPE}LocalizedMessage", "locale": "en-US", "message": error.message},
        ]
    if not isinstance(error, RateLimitedError):
        return []
    tokens = error.limit_kind == "tokens"
    limits = meta.limits
    state = None if limits is None else limits.tokens if tokens else limits.requests
    metric = "generate_content_free_tier_input_token_count" if tokens else "generate_content_free_tier_requests"
    what = "InputTokensPerModelPer" if tokens else "RequestsPer"
    span = "DayPerProjectPerModel" if error.limit_kind == "daily" else "MinutePerProjectPerModel"
    failure = {
        "quotaMetric": f"generativelanguage.googleapis.com/{metric}",
        "quotaId": f"GenerateContent{what}{'Minute' if tokens else span}-FreeTier",
        "quotaDimensions": {"location": "global", "model": error.model or meta.model or "gemini-2.5-flash"},
        "quotaValue": str(state.limit if state is not None else 250_000 if tokens else 10),
    }
    docs = "https://ai.google.dev/gemini-api/docs/rate-limits"
    found: list[dict[str, Any]] = [
        {"@type": f"{_TYPE}QuotaFailure", "violations": [failure]},
        {"@type": f"{_TYPE}Help", "links": [{"description": "Learn more about Gemini API quotas", "url": docs}]},
    ]
    if error.retry_after is not None:
        found.append({"@type": f"{_TYPE}RetryInfo", "retryDelay": f"{max(0, math.ceil(error.retry_after))}s"})
    return found


def _blocked(error: ProviderError, meta: ResponseMeta) -> dict[str, Any]:
    return {
        "promptFeedback": {"blockReason": "PROHIBITED_CONTENT"},
        "usageMetadata": {"promptTokenCount": 1, "totalTokenCount": 1},
        "modelVersion": error.model or meta.model,
    }
