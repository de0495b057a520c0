"""DeepSeek, whose API is OpenAI-compatible: what its cache knew is told in usage, thoughts in a field of their own."""

from __future__ import annotations

from typing import Any

from llmtest.errors import (
    AuthenticationError,
    ContextLengthExceededError,
    ModelNotFoundError,
    OverloadedError,
    QuotaExceededError,
    RateLimitedError,
)
from llmtest.types import Usage
from llmtest.wire import _ids
from llmtest.wire._dialect import Variables
from llmtest.wire._own_words import OwnWords, Said
from llmtest.wire._records import Headers, ResponseMeta
from llmtest.wire._vocabulary import Vocabulary
from llmtest.wire.openai import COMPATIBLE
from llmtest.wire.openai._relatives import Ways, error_body, relative

__all__ = ["DEEPSEEK"]

_INVALID = "invalid_request_error"


def _usage(usage: Usage) -> dict[str, Any]:
    asked, said, known = usage.input_tokens, usage.output_tokens, usage.cache_read_tokens
    found: dict[str, Any] = {
        "prompt_tokens": asked,
        "completion_tokens": said,
        "total_tokens": asked + said,
        "prompt_tokens_details": {"cached_tokens": known},
    }
    if usage.reasoning_tokens:
        found["completion_tokens_details"] = {"reasoning_tokens": usage.reasoning_tokens}
    return {**found, "prompt_cache_hit_tokens": known, "prompt_cache_miss_tokens": asked - known}


def _head(meta: ResponseMeta) -> Headers:
    return () if meta.request_id is None else (("x-ds-trace-id", meta.request_id),)


def _wrong_key(_: AuthenticationError, meta: ResponseMeta) -> dict[str, Any]:
    if meta.api_key == "":
        message = "Authentication Fails (governor)"
    else:
        message = f"Authentication Fails, Your api key: ****{(meta.api_key or 'test')[-4:]} is invalid"
    return error_body(message, "authentication_error", _INVALID)


def _too_long(error: ContextLengthExceededError, _: ResponseMeta) -> dict[str, Any]:
    most = error.max_tokens or 131_072
    asked = error.requested_tokens or most + 1
    message = (
        f"This model's maximum context length is {most} tokens. However, you requested {asked} tokens ({asked} in the "
        "messages, 0 in the completion). Please reduce the length of the messages or completion."
    )
    return error_body(message, _INVALID, _INVALID)


_SAID = (
    Said(AuthenticationError, 401, _wrong_key),
    Said(QuotaExceededError, 402, lambda _, __: error_body("Insufficient Balance", "unknown_error", _INVALID)),
    Said(ContextLengthExceededError, 400, _too_long),
    Said(ModelNotFoundError, 400, lambda _, __: error_body("Model Not Exist", _INVALID, _INVALID)),
    Said(
        RateLimitedError,
        429,
        lambda _, __: error_body("Rate limit reached. Please pace your requests.", "rate_limit_error", "rate_limit"),
    ),
    Said(
        OverloadedError,
        503,
        lambda _, __: error_body(
            "Service is too busy. We advise users to temporarily switch to alternative LLM API service providers.",
            "service_unavailable_error",
            _INVALID,
        ),
    ),
)

DEEPSEEK = relative(
    "deepseek",
    title="DeepSeek",
    base_url="https://api.deepseek.com/v1",
    hosts=("https://api.deepseek.com",),
    roots=("/v1", "/beta", ""),
    variables=Variables(keys=("DEEPSEEK_API_KEY",), base_urls=("DEEPSEEK_BASE_URL",), model="DEEPSEEK_MODEL"),
    ways=Ways(usage=_usage, usage_at_the_end=True),
    errors=OwnWords(
        COMPATIBLE.errors,
        _SAID,
        meant={"Model Not Exist": ModelNotFoundError, "Insufficient Balance": QuotaExceededError},
    ),
    default_model="deepseek-chat",
    head=_head,
    vocabulary=Vocabulary(no_credit=("Insufficient Balance",)),
    response_id=_ids.uuid,
)
"""It has no rate limits in headers; recorded in 2025."""
