"""Azure's errors in Azure's words; what it passes on of OpenAI's models stays in OpenAI's."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from llmtest.errors import (
    AuthenticationError,
    ContentFilteredError,
    InvalidRequestError,
    ModelNotFoundError,
    OverloadedError,
    PermissionDeniedError,
    ProviderError,
    ProviderTimeoutError,
    RateLimitedError,
    ServerError,
)
from llmtest.wire._dialect import Errors
from llmtest.wire._json import dumps
from llmtest.wire._records import Headers, ResponseMeta, WireFormatError
from llmtest.wire.azure._filter_results import BLOCKED_PROMPT
from llmtest.wire.framing import Framing

__all__ = ["AzureErrors", "refuse"]

API_VERSION = "2024-10-21"
"""The newest dated version that is generally available; later ones have no date."""
_BLOCKED = (
    "The response was filtered due to the prompt triggering Azure OpenAI's content management policy. Please modify "
    "your prompt and retry. To learn more about our content filtering policies please read our documentation: "
    "https://go.microsoft.com/fwlink/?linkid=2198766"
)
_NO_DEPLOYMENT = (
    "The API deployment for this resource does not exist. If you created the deployment within the last 5 minutes, "
    "please wait a moment and try again."
)
_WRONG_KEY = (
    "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key for an "
    "active subscription and use a correct regional API endpoint for your resource."
)
_UNSIGNED = (
    "Unauthorized. Access token is missing, invalid, audience is incorrect (https://cognitiveservices.azure.com), or "
    "have expired."
)
_FAILED = (
    "The server had an error processing your request. Sorry about that! You can retry your request, or contact us "
    "through an Azure support request at: https://go.microsoft.com/fwlink/?linkid=2213926 if you keep seeing this "
    "error. (Please include the request ID {} in your email.)"
)


def refuse(status: int, code: str, message: str) -> WireFormatError:
    """Make the refusal of Azure's front door, which looks at addresses before any model sees a request."""
    error = InvalidRequestError(message, status=status, code=code)
    error.body = dumps({"error": {"code": code, "message": message}})
    return WireFormatError(error)


def _rate_limited(error: RateLimitedError) -> str:
    kind = "token" if error.limit_kind == "tokens" else "call"
    seconds = 60 if error.retry_after is None else math.ceil(error.retry_after)
    return (
        f"Requests to the ChatCompletions_Create Operation under Azure OpenAI API version {API_VERSION} have exceeded "
        f"{kind} rate limit of your current OpenAI S0 pricing tier. Please retry after {seconds} "
        f"second{'' if seconds == 1 else 's'}. Please go here: https://aka.ms/oai/quotaincrease if you would like to "
        "further increase the default rate limit."
    )


def _error(code: str, message: str) -> dict[str, Any]:
    return {"code": code, "message": message}


def _blocked() -> dict[str, Any]:
    inner = {"code": "ResponsibleAIPolicyViolation", "content_filter_result": BLOCKED_PROMPT}
    told = {"message": _BLOCKED, "type": None, "param": "prompt", "code": "content_filter", "status": 400}
    return {**told, "innererror": inner}


def _failed(error: ProviderError, meta: ResponseMeta) -> dict[str, Any]:
    message = _FAILED.format(error.request_id or meta.request_id)
    return {"message": message, "type": "server_error", "param": None, "code": None}


_WORDINGS: tuple[tuple[type[ProviderError], int, Callable[[Any, ResponseMeta], dict[str, Any]]], ...] = (
    (ContentFilteredError, 400, lambda _, __: _blocked()),
    (
        ModelNotFoundError,
        404,
        lambda _, __: {"type": "invalid_request_error", **_error("DeploymentNotFound", _NO_DEPLOYMENT)},
    ),
    (RateLimitedError, 429, lambda error, _: _error("429", _rate_limited(error))),
    (AuthenticationError, 401, lambda _, meta: _error("401", _UNSIGNED if meta.api_key == "" else _WRONG_KEY)),
    (PermissionDeniedError, 403, lambda _, __: _error("403", "Access denied due to Virtual Network/Firewall rules.")),
    (ProviderTimeoutError, 408, lambda _, __: _error("Timeout", "The operation was timeout.")),
    (ServerError, 500, _failed),
)
"""Where Azure has words of its own: the class, its status, and the `error` object."""


def _said(error: ProviderError, meta: ResponseMeta) -> tuple[int, dict[str, Any]] | None:
    """Return status and `error` object, where Azure has words of its own."""
    is_other = isinstance(error, OverloadedError) or (
        isinstance(error, ServerError) and error.status not in (None, 500)
    )
    found = (row for row in _WORDINGS if isinstance(error, row[0]))
    row = None if is_other else next(found, None)
    return None if row is None else (row[1], row[2](error, meta))


class AzureErrors:
    """Azure's errors; see `Errors` for the contract.

    Args:
        spoken: Whose words it passes on: those of an endpoint of OpenAI's.
    """

    def __init__(self, spoken: Errors) -> None:
        self._spoken = spoken

    def decode(self, status: int, headers: Mapping[str, str], body: bytes, now: datetime) -> ProviderError:
        """Read an error of Azure's."""
        return self._spoken.decode(status, headers, body, now)

    def worded(self, error: ProviderError, meta: ResponseMeta) -> ProviderError:
        """Fill in what the error does not say itself."""
        _reword(error, meta)
        return self._spoken.worded(error, meta)

    def encode(self, error: ProviderError, meta: ResponseMeta, headers: Headers) -> tuple[int, Headers, bytes]:
        """Write an error as status, headers and body."""
        said = _reword(error, meta)
        if said is not None and error.body is None:
            error.body = dumps({"error": said})
        return self._spoken.encode(error, meta, headers)

    def encode_event(self, error: ProviderError, meta: ResponseMeta, framing: Framing) -> bytes:
        """Write an error as an event inside a stream."""
        _reword(error, meta)
        return self._spoken.encode_event(error, meta, framing)

    def not_found(self, method: str, path: str) -> InvalidRequestError:
        """Say that nothing is at a path."""
        del method, path
        return InvalidRequestError("Resource not found", status=404, code="404")

    def not_allowed(self, method: str, path: str) -> InvalidRequestError:
        """Say that a path has other methods."""
        return self._spoken.not_allowed(method, path)


def _reword(error: ProviderError, meta: ResponseMeta) -> dict[str, Any] | None:
    """Say what only Azure says so; None where it has no words of its own, or the error has."""
    if error.message or error.body is not None:
        return None
    said = _said(error, meta)
    if said is None:
        return None
    status, told = said
    error.status = status if error.status is None else error.status
    error.message, error.code = told["message"], told["code"] or told["type"]
    error.args = (error.message,)
    return told
