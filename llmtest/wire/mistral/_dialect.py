"""Mistral AI, whose Chat Completions are nearly OpenAI's; its errors are of several shapes."""

from __future__ import annotations

import re
from typing import Any

from llmtest.errors import (
    AuthenticationError,
    ContextLengthExceededError,
    ModelNotFoundError,
    OverloadedError,
    PermissionDeniedError,
    RateLimitedError,
    ServerError,
)
from llmtest.types import Usage
from llmtest.wire import _ids
from llmtest.wire._dialect import Variables
from llmtest.wire._own_words import OwnWords, Said
from llmtest.wire._records import Headers, RateLimits, ResponseMeta
from llmtest.wire._vocabulary import Vocabulary
from llmtest.wire.mistral._models import MODELS
from llmtest.wire.mistral._unknown import refuse_unknown
from llmtest.wire.openai import COMPATIBLE
from llmtest.wire.openai._relatives import Ways, relative

__all__ = ["MISTRAL"]

_TOO_LONG = re.compile(
    r"Prompt contains (?P<asked>\d+) tokens.*?too large for model with (?P<max>\d+) maximum context length"
)


def _usage(usage: Usage) -> dict[str, Any]:
    asked, said = usage.input_tokens, usage.output_tokens
    found: dict[str, Any] = {"prompt_tokens": asked, "total_tokens": asked + said, "completion_tokens": said}
    if usage.cache_read_tokens:
        found["prompt_tokens_details"] = {"cached_tokens": usage.cache_read_tokens}
    return found


def _head(meta: ResponseMeta) -> Headers:
    if meta.request_id is None:
        return ()
    return (("mistral-correlation-id", meta.request_id), ("x-kong-request-id", meta.request_id))


def _limits(limits: RateLimits, now: object) -> Headers:
    """Write its rate limits, which tell no reset."""
    del now
    found: list[tuple[str, str]] = []
    for name, state in (("req-minute", limits.requests), ("tokens-minute", limits.tokens)):
        if state is not None:
            found.append((f"x-ratelimit-limit-{name}", str(state.limit)))
            found.append((f"x-ratelimit-remaining-{name}", str(max(0, state.remaining))))
    return tuple(found)


def _error(message: str, kind: str, code: str) -> dict[str, Any]:
    return {"object": "error", "message": message, "type": kind, "param": None, "code": code}


def _too_long(error: ContextLengthExceededError, _: ResponseMeta) -> dict[str, Any]:
    most = error.max_tokens or 131_072
    asked = error.requested_tokens or most + 1
    message = (
        f"Prompt contains {asked} tokens and 0 draft tokens, too large for model with {most} maximum context length"
    )
    return _error(message, "invalid_request_prompt", "3051")


_SAID = (
    Said(RateLimitedError, 429, lambda _, __: _error("Rate limit exceeded", "rate_limited", "1300")),
    Said(AuthenticationError, 401, lambda _, __: {"detail": "Unauthorized"}),
    Said(PermissionDeniedError, 403, lambda _, __: {"detail": "Forbidden"}),
    Said(ContextLengthExceededError, 400, _too_long),
    Said(
        ModelNotFoundError,
        400,
        lambda error, meta: _error(f"Invalid model: {error.model or meta.model}", "invalid_model", "1500"),
    ),
    Said(OverloadedError, 503, lambda _, __: _error("Service unavailable.", "internal_server_error", "3000")),
    Said(ServerError, 500, lambda _, __: _error("Service unavailable.", "internal_server_error", "3000")),
)

MISTRAL = relative(
    "mistral",
    title="Mistral AI",
    telemetry_name="mistral_ai",
    base_url="https://api.mistral.ai/v1",
    hosts=("https://api.mistral.ai", "https://codestral.mistral.ai"),
    roots=("/v1",),
    variables=Variables(keys=("MISTRAL_API_KEY",), base_urls=("MISTRAL_BASE_URL",), model="MISTRAL_MODEL"),
    ways=Ways(
        check=refuse_unknown,
        usage=_usage,
        usage_at_the_end=True,
        renamed={"seed": "random_seed"},
        dropped=("stream_options",),
        whole_calls=True,
        thinking_parts=True,
    ),
    errors=OwnWords(COMPATIBLE.errors, _SAID, meant={"Invalid model: ": ModelNotFoundError}),
    default_model="mistral-small-latest",
    head=_head,
    write_limits=_limits,
    usual_limits={"requests": 60, "tokens": 500_000},
    vocabulary=Vocabulary(too_long=(_TOO_LONG,)),
    response_id=lambda number: _ids.hexadecimal(number, 32),
    tool_call_id=lambda number: _ids.letters(number, 9),
    more=MODELS,
)
"""Recorded in 2025."""
