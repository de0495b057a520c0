"""xAI, whose API is OpenAI-compatible: errors are a code and a text, and thoughts are counted beside the answer."""

from __future__ import annotations

import re
from typing import Any

from llmtest.errors import (
    AuthenticationError,
    ContextLengthExceededError,
    ModelNotFoundError,
    PermissionDeniedError,
    QuotaExceededError,
    RateLimitedError,
)
from llmtest.types import Usage
from llmtest.wire import _ids
from llmtest.wire._dialect import Variables
from llmtest.wire._own_words import OwnWords, Said
from llmtest.wire._records import ResponseMeta
from llmtest.wire._vocabulary import Vocabulary
from llmtest.wire.openai import COMPATIBLE
from llmtest.wire.openai._limits import limit_headers
from llmtest.wire.openai._relatives import Ways, relative

__all__ = ["XAI"]

_TOO_LONG = re.compile(r"maximum prompt length is (?P<max>\d+) but the request contains (?P<asked>\d+) tokens")
_TEAM = "00000000-0000-0000-0000-000000000000"
_WRONG = "Client specified an invalid argument"


def _usage(usage: Usage) -> dict[str, Any]:
    asked, said, thought = usage.input_tokens, usage.output_tokens, usage.reasoning_tokens
    return {
        "prompt_tokens": asked,
        "completion_tokens": said - thought,
        "total_tokens": asked + said,
        "prompt_tokens_details": {
            "text_tokens": asked,
            "audio_tokens": usage.input_audio_tokens,
            "image_tokens": 0,
            "cached_tokens": usage.cache_read_tokens,
        },
        "completion_tokens_details": {
            "reasoning_tokens": thought,
            "audio_tokens": usage.output_audio_tokens,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
        "num_sources_used": 0,
    }


def _error(code: str, message: str) -> dict[str, Any]:
    return {"code": code, "error": message}


def _wrong_key(_: AuthenticationError, meta: ResponseMeta) -> dict[str, Any]:
    key = meta.api_key or "xai-test"
    if meta.api_key == "":
        return _error("unauthenticated:no-credentials", "No credentials provided")
    return _error(
        _WRONG,
        f"Incorrect API key provided: {key[:2]}***{key[-2:]}. You can obtain an API key from https://console.x.ai.",
    )


def _no_model(error: ModelNotFoundError, meta: ResponseMeta) -> dict[str, Any]:
    message = (
        f"The model {error.model or meta.model} does not exist or your team {_TEAM} does not have access to it. Please "
        "ensure you're using the correct API key. If you believe this is a mistake, please contact support and quote "
        "your team ID and the model name."
    )
    return _error("Some requested entity was not found", message)


def _rate_limited(error: RateLimitedError, meta: ResponseMeta) -> dict[str, Any]:
    message = (
        f"Too many requests for team {_TEAM} and model {error.model or meta.model}. Your team's rate limit is "
        "1 requests per second (actual/limit): 2/1"
    )
    return _error("Some resource has been exhausted", message)


def _too_long(error: ContextLengthExceededError, _: ResponseMeta) -> dict[str, Any]:
    most = error.max_tokens or 131_072
    asked = error.requested_tokens or most + 1
    return _error(_WRONG, f"This model's maximum prompt length is {most} but the request contains {asked} tokens.")


def _no_credit(_: QuotaExceededError, __: ResponseMeta) -> dict[str, Any]:
    message = (
        f"Your team {_TEAM} has either used all available credits or reached its monthly spending limit. To continue "
        "making API requests, please purchase more credits or raise your spending limit."
    )
    return _error("Some resource has been exhausted", message)


_SAID = (
    Said(RateLimitedError, 429, _rate_limited),
    Said(QuotaExceededError, 429, _no_credit),
    Said(AuthenticationError, 400, _wrong_key),
    Said(
        PermissionDeniedError,
        403,
        lambda _, __: _error(
            "The caller does not have permission to execute the specified operation", "Team is not allowed to do this."
        ),
    ),
    Said(ContextLengthExceededError, 400, _too_long),
    Said(ModelNotFoundError, 404, _no_model),
)

XAI = relative(
    "xai",
    title="xAI",
    telemetry_name="x_ai",
    base_url="https://api.x.ai/v1",
    hosts=("https://api.x.ai", "https://us-east-1.api.x.ai", "https://eu-west-1.api.x.ai"),
    roots=("/v1",),
    variables=Variables(keys=("XAI_API_KEY",), base_urls=("XAI_BASE_URL",), model="XAI_MODEL"),
    ways=Ways(usage=_usage, usage_at_the_end=True),
    errors=OwnWords(
        COMPATIBLE.errors,
        _SAID,
        meant={
            "Incorrect API key provided: ": AuthenticationError,
            "No credentials provided": AuthenticationError,
            "used all available credits": QuotaExceededError,
        },
    ),
    default_model="grok-4",
    write_limits=limit_headers,
    vocabulary=Vocabulary(too_long=(_TOO_LONG,)),
    response_id=_ids.uuid,
)
"""A wrong key is a 400 there."""
