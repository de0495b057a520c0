"""Azure's errors in Azure's words; what it passes on of OpenAI's models stays in OpenAI's."""

from __future__ import annotations

import math
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
from llmtest.wire._own_words import OwnWords, Said
from llmtest.wire._records import ResponseMeta, WireFormatError
from llmtest.wire.azure._filter_results import BLOCKED_PROMPT
from llmtest.wire.openai import OPENAI

__all__ = ["API_VERSION", "ERRORS", "refuse", "responses_errors"]

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
    return {"error": {"code": code, "message": message}}


def _blocked() -> dict[str, Any]:
    inner = {"code": "ResponsibleAIPolicyViolation", "content_filter_result": BLOCKED_PROMPT}
    told = {"message": _BLOCKED, "type": None, "param": "prompt", "code": "content_filter", "status": 400}
    return {"error": {**told, "innererror": inner}}


def _blocked_response(error: ContentFilteredError, meta: ResponseMeta) -> dict[str, Any]:
    """Write what Responses say of a blocked prompt: the verdict without a frame around it."""
    del error, meta
    verdict = {"blocked": True, "source_type": "prompt", "content_filter_results": BLOCKED_PROMPT}
    told = {"message": _BLOCKED, "type": "invalid_request_error", "param": "prompt", "code": "content_filter"}
    return {"error": {**told, "content_filters": [verdict]}}


def _failed(error: ProviderError, meta: ResponseMeta) -> dict[str, Any] | None:
    if isinstance(error, OverloadedError):
        return None
    message = _FAILED.format(error.request_id or meta.request_id)
    return {"error": {"message": message, "type": "server_error", "param": None, "code": None}}


def _no_deployment() -> dict[str, Any]:
    told = {"type": "invalid_request_error", "code": "DeploymentNotFound", "message": _NO_DEPLOYMENT}
    return {"error": told}


_SAID = (
    Said(ContentFilteredError, 400, lambda _, __: _blocked()),
    Said(ModelNotFoundError, 404, lambda _, __: _no_deployment()),
    Said(RateLimitedError, 429, lambda error, _: _error("429", _rate_limited(error))),
    Said(AuthenticationError, 401, lambda _, meta: _error("401", _UNSIGNED if meta.api_key == "" else _WRONG_KEY)),
    Said(
        PermissionDeniedError,
        403,
        lambda _, __: _error("403", "Access denied due to Virtual Network/Firewall rules."),
    ),
    Said(ProviderTimeoutError, 408, lambda _, __: _error("Timeout", "The operation was timeout.")),
    Said(ServerError, 500, _failed),
)
_NOWHERE = "Resource not found"

ERRORS = OwnWords(OPENAI.errors, _SAID, nowhere=_NOWHERE)
"""What Azure says in words of its own; everything else is passed on in those of OpenAI's endpoints."""


def responses_errors(spoken: Errors) -> OwnWords:
    """Return the same for Responses, which tell in other words of a prompt that was blocked.

    Args:
        spoken: The errors of OpenAI's endpoint.
    """
    return OwnWords(spoken, (Said(ContentFilteredError, 400, _blocked_response), *_SAID), nowhere=_NOWHERE)
