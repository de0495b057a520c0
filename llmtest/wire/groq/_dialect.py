"""Groq, whose API is OpenAI-compatible: usage in a field of its own, and its error bodies."""

from __future__ import annotations

from typing import Any

from llmtest.errors import (
    AuthenticationError,
    ModelNotFoundError,
    OverloadedError,
    RateLimitedError,
    RequestTooLargeError,
    ServerError,
)
from llmtest.types import Usage
from llmtest.wire import _ids
from llmtest.wire._dialect import Variables
from llmtest.wire._headers import format_duration
from llmtest.wire._own_words import OwnWords, Said
from llmtest.wire._records import Headers, LimitState, ResponseMeta
from llmtest.wire.groq._unknown import refuse_unknown
from llmtest.wire.openai import COMPATIBLE
from llmtest.wire.openai._limits import limit_headers
from llmtest.wire.openai._relatives import Ways, relative

__all__ = ["GROQ"]

TOKENS_A_SECOND = 1200
"""About how fast it was in recordings; its usage tells seconds."""


def _usage(usage: Usage) -> dict[str, Any]:
    asked, said = usage.input_tokens, usage.output_tokens
    prompt, completion = round(asked / 7000, 9), round(said / TOKENS_A_SECOND, 9)
    times = {"prompt_time": prompt, "completion_time": completion, "total_time": round(prompt + completion, 9)}
    counts = {"prompt_tokens": asked, "completion_tokens": said, "total_tokens": asked + said}
    more = {"prompt_tokens_details": {"cached_tokens": usage.cache_read_tokens}} if usage.cache_read_tokens else {}
    if usage.reasoning_tokens:
        more["completion_tokens_details"] = {"reasoning_tokens": usage.reasoning_tokens}
    return {"queue_time": 0.01, **counts, **times, **more}


def _aside(meta: ResponseMeta, usage: Any = None) -> dict[str, Any]:
    told = {"id": meta.request_id} if usage is None else {"id": meta.request_id, "usage": usage}
    return {"x_groq": told}


def _head(meta: ResponseMeta) -> Headers:
    return (
        ("cache-control", "private, max-age=0, no-store, no-cache, must-revalidate"),
        ("x-groq-region", "us-west-1"),
        *(() if meta.request_id is None else (("x-request-id", meta.request_id),)),
    )


def _error(message: str, kind: str, code: str | None = None) -> dict[str, Any]:
    """Write an error: it has no `param`, and a `code` only sometimes."""
    return {"error": {"message": message, "type": kind, **({} if code is None else {"code": code})}}


def _rate_limited(error: RateLimitedError, meta: ResponseMeta) -> dict[str, Any]:
    kind = "tokens" if error.limit_kind == "tokens" else "requests"
    unit = {"tokens": "tokens per minute (TPM)", "daily": "requests per day (RPD)"}.get(
        error.limit_kind, "requests per minute (RPM)"
    )
    known = None if meta.limits is None else meta.limits.tokens if kind == "tokens" else meta.limits.requests
    state = known or LimitState(6000 if kind == "tokens" else 30, 0)
    wait = "" if error.retry_after is None else f"Please try again in {format_duration(error.retry_after)}. "
    message = (
        f"Rate limit reached for model `{error.model or meta.model}` in organization `{meta.organization}` service "
        f"tier `on_demand` on {unit}: Limit {state.limit}, Used {state.limit - state.remaining}, Requested "
        f"{max(1, state.remaining + 1)}. {wait}Need more tokens? Upgrade to Dev Tier today at "
        "https://console.groq.com/settings/billing"
    )
    return _error(message, kind, "rate_limit_exceeded")


def _too_large(error: RequestTooLargeError, meta: ResponseMeta) -> dict[str, Any]:
    message = (
        f"Request too large for model `{error.model or meta.model}` in organization `{meta.organization}` service "
        "tier `on_demand` on tokens per minute (TPM): Limit 6000, Requested 6001, please reduce your message size and "
        "try again. Need more tokens? Upgrade to Dev Tier today at https://console.groq.com/settings/billing"
    )
    return _error(message, "tokens", "rate_limit_exceeded")


def _no_model(error: ModelNotFoundError, meta: ResponseMeta) -> dict[str, Any]:
    message = f"The model `{error.model or meta.model}` does not exist or you do not have access to it."
    return _error(message, "invalid_request_error", "model_not_found")


_SAID = (
    Said(RateLimitedError, 429, _rate_limited),
    Said(RequestTooLargeError, 413, _too_large),
    Said(AuthenticationError, 401, lambda _, __: _error("Invalid API Key", "invalid_request_error", "invalid_api_key")),
    Said(ModelNotFoundError, 404, _no_model),
    Said(OverloadedError, 503, lambda _, __: _error("Service Unavailable", "internal_server_error")),
    Said(ServerError, 500, lambda _, __: _error("Internal Server Error", "internal_server_error")),
)

GROQ = relative(
    "groq",
    title="Groq",
    base_url="https://api.groq.com/openai/v1",
    hosts=("https://api.groq.com",),
    roots=("/openai/v1", "/v1"),
    variables=Variables(
        keys=("GROQ_API_KEY",), base_urls=("GROQ_BASE_URL",), model="GROQ_MODEL", served={"GROQ_BASE_URL": "{url}/groq"}
    ),
    ways=Ways(
        check=refuse_unknown,
        usage=_usage,
        reasoning="reasoning",
        first=_aside,
        last=_aside,
        aside="x_groq",
    ),
    errors=OwnWords(COMPATIBLE.errors, _SAID),
    head=_head,
    write_limits=limit_headers,
    usual_limits={"requests": 30, "tokens": 6000},
    response_id=lambda number: "chatcmpl-" + _ids.uuid(number),
)
"""Its SDK asks below `/openai/v1`; recorded in 2024 and 2025."""
