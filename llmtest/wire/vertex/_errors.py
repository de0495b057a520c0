"""Vertex AI's errors, both directions: Google's own before a model is reached, Anthropic's from there on.

https://docs.cloud.google.com/vertex-ai/generative-ai/docs/model-reference/api-errors
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from llmtest.errors import (
    AuthenticationError,
    InvalidRequestError,
    ModelNotFoundError,
    PermissionDeniedError,
    ProviderError,
    QuotaExceededError,
    RateLimitedError,
)
from llmtest.wire import _classify
from llmtest.wire._headers import header, number
from llmtest.wire._json import dumps
from llmtest.wire._records import Headers, ResponseMeta
from llmtest.wire.anthropic import _errors
from llmtest.wire.anthropic.messages._stream import encode_stream_error
from llmtest.wire.framing import Framing

__all__ = ["VertexErrors"]

_MODEL_AT = "projects/llmtest/locations/us-east5/publishers/anthropic/models"
_SPENT = "This API method requires billing to be enabled."
_GOOGLE: tuple[tuple[type[ProviderError], int, str], ...] = (
    (RateLimitedError, 429, "RESOURCE_EXHAUSTED"),
    (QuotaExceededError, 403, "PERMISSION_DENIED"),
    (AuthenticationError, 401, "UNAUTHENTICATED"),
    (PermissionDeniedError, 403, "PERMISSION_DENIED"),
    (ModelNotFoundError, 404, "NOT_FOUND"),
)
"""What Google answers itself."""


class VertexErrors:
    """Vertex AI's errors; see `Errors` for the contract."""

    def decode(self, status: int, headers: Mapping[str, str], body: bytes, now: datetime) -> ProviderError:
        """Read an error of either."""
        parsed = _classify.read_body(body)
        error = parsed.get("error")
        if not isinstance(error, dict) or "status" not in error:
            return _errors.decode_error(status, headers, body, now=now)
        facts = {"code": _classify.text_of(error.get("status"))}
        request_id = header(headers, "request-id")
        return _classify.decode(status, headers, body, now=now, request_id=request_id, facts=facts, parsed=parsed)

    def worded(self, error: ProviderError, meta: ResponseMeta) -> ProviderError:
        """Fill in what the error does not say itself."""
        google = _google(error)
        if google is None:
            return _errors.worded(error, meta)
        status, word = google
        if isinstance(error, QuotaExceededError) and error.status == 402:
            error.status = status
        return _classify.fill(error, status=status, code=word, message=_words(error, meta), request_id=meta.request_id)

    def encode(self, error: ProviderError, meta: ResponseMeta, headers: Headers) -> tuple[int, Headers, bytes]:
        """Write an error as status, headers and body."""
        if _google(error) is None:
            return _errors.encode_error(error, meta, headers)
        self.worded(error, meta)
        status = error.status or 500
        body = error.body
        if body is None:
            found = {"code": status, "message": error.message, "status": error.code}
            body = dumps({"error": found})
        sent = [("content-type", "application/json; charset=UTF-8")]
        sent += [pair for pair in headers if pair[0] != "content-type"]
        if error.retry_after is not None:
            sent.append(("retry-after", number(error.retry_after)))
        return status, tuple(sent), body

    def encode_event(self, error: ProviderError, meta: ResponseMeta, framing: Framing) -> bytes:
        """Write an error as an event inside a stream, which is Anthropic's."""
        del framing
        return encode_stream_error(_errors.error_object(error, meta))

    def not_found(self, method: str, path: str) -> InvalidRequestError:
        """Say that nothing is at a path."""
        del method
        return InvalidRequestError(
            f"The requested URL {path} was not found on this server.", status=404, code="NOT_FOUND"
        )

    def not_allowed(self, method: str, path: str) -> InvalidRequestError:
        """Say that a path has other methods, which Google answers as if nothing were there."""
        return self.not_found(method, path)


def _google(error: ProviderError) -> tuple[int, str] | None:
    """Return status and word where Google answers; None where Anthropic does."""
    if isinstance(error, InvalidRequestError) and error.code == "NOT_FOUND":
        return 404, "NOT_FOUND"
    return next(((status, word) for kind, status, word in _GOOGLE if isinstance(error, kind)), None)


def _words(error: ProviderError, meta: ResponseMeta) -> str:
    model = error.model or meta.model or "claude-sonnet-4-6"
    if isinstance(error, RateLimitedError):
        what = "online_prediction_input_tokens_per_minute_per_base_model"
        if error.limit_kind != "tokens":
            what = "online_prediction_requests_per_base_model"
        return (
            f"Quota exceeded for aiplatform.googleapis.com/{what} with base model: "
            f"anthropic-{model.partition('@')[0]}. "
            "Please submit a quota increase request. https://cloud.google.com/vertex-ai/docs/generative-ai/quotas-genai."
        )
    if isinstance(error, QuotaExceededError):
        return _SPENT
    if isinstance(error, AuthenticationError):
        start = "Request is missing required authentication credential."
        if meta.api_key != "":
            start = "Request had invalid authentication credentials."
        return (
            f"{start} Expected OAuth 2 access token, login cookie or other valid authentication credential. See "
            "https://developers.google.com/identity/sign-in/web/devconsole-project."
        )
    if isinstance(error, PermissionDeniedError):
        return (
            f"Permission 'aiplatform.endpoints.predict' denied on resource '//aiplatform.googleapis.com/{_MODEL_AT}/"
            f"{model}' (or it may not exist)."
        )
    return (
        f"Publisher Model `{_MODEL_AT}/{model}` was not found or your project does not have access to it. Please "
        "ensure you are using a valid model version. For more information, see: "
        "https://cloud.google.com/vertex-ai/generative-ai/docs/learn/model-versions"
    )
