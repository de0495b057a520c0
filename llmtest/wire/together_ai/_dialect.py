"""Together AI, whose API is OpenAI-compatible; its words for a prompt that is too long are those of its servers."""

from __future__ import annotations

import re
from typing import Any

from llmtest.errors import AuthenticationError, ContextLengthExceededError, ModelNotFoundError, OverloadedError
from llmtest.types import Usage
from llmtest.wire import _ids
from llmtest.wire._dialect import Variables
from llmtest.wire._own_words import OwnWords, Said
from llmtest.wire._records import Headers, RateLimits, ResponseMeta
from llmtest.wire._vocabulary import Vocabulary
from llmtest.wire.openai import COMPATIBLE
from llmtest.wire.openai._relatives import Ways, error_body, relative

__all__ = ["TOGETHER_AI"]

_TOO_LONG = re.compile(
    r"`inputs` tokens \+ `max_new_tokens` must be <= (?P<max>\d+)(?:\. Given: (?P<asked>\d+) `inputs` tokens)?"
)


def _usage(usage: Usage) -> dict[str, Any]:
    asked, said = usage.input_tokens, usage.output_tokens
    counts = {"prompt_tokens": asked, "completion_tokens": said, "total_tokens": asked + said}
    return {**counts, "cached_tokens": usage.cache_read_tokens}


def _limits(limits: RateLimits, now: object) -> Headers:
    """Write its rate limits: of requests a second, and of tokens."""
    del now
    found: list[tuple[str, str]] = []
    if limits.requests is not None:
        found.append(("x-ratelimit-limit", str(limits.requests.limit)))
        found.append(("x-ratelimit-remaining", str(max(0, limits.requests.remaining))))
        found.append(("x-ratelimit-reset", str(round(limits.requests.reset_after))))
    if limits.tokens is not None:
        found.append(("x-ratelimit-limit-tokens", str(limits.tokens.limit)))
        found.append(("x-ratelimit-remaining-tokens", str(max(0, limits.tokens.remaining))))
    return tuple(found)


def _too_long(error: ContextLengthExceededError, _: ResponseMeta) -> dict[str, Any]:
    most = error.max_tokens or 131_073
    asked = error.requested_tokens or most + 1
    message = (
        f"Input validation error: `inputs` tokens + `max_new_tokens` must be <= {most}. Given: {asked} `inputs` tokens "
        "and 512 `max_new_tokens`"
    )
    return error_body(message, "invalid_request_error", None)


def _no_model(error: ModelNotFoundError, meta: ResponseMeta) -> dict[str, Any]:
    message = (
        f"Unable to access model {error.model or meta.model}. Please visit https://api.together.ai/models to view the "
        "list of supported models."
    )
    return error_body(message, "invalid_request_error", "model_not_available")


def _wrong_key(_: AuthenticationError, __: ResponseMeta) -> dict[str, Any]:
    message = "Invalid API key provided. You can find your API key at https://api.together.ai/settings/api-keys."
    return error_body(message, "invalid_request_error", "invalid_api_key")


def _overloaded(_: OverloadedError, __: ResponseMeta) -> dict[str, Any]:
    return error_body("The server is overloaded or not ready yet.", "service_unavailable", None)


_SAID = (
    Said(AuthenticationError, 401, _wrong_key),
    Said(ContextLengthExceededError, 422, _too_long),
    Said(ModelNotFoundError, 404, _no_model),
    Said(OverloadedError, 503, _overloaded),
)

TOGETHER_AI = relative(
    "together_ai",
    title="Together AI",
    base_url="https://api.together.xyz/v1",
    hosts=("https://api.together.xyz", "https://api.together.ai"),
    roots=("/v1",),
    variables=Variables(
        keys=("TOGETHER_API_KEY", "TOGETHERAI_API_KEY"), base_urls=("TOGETHER_BASE_URL",), model="TOGETHER_MODEL"
    ),
    ways=Ways(usage=_usage, usage_at_the_end=True, reasoning="reasoning"),
    errors=OwnWords(COMPATIBLE.errors, _SAID),
    write_limits=_limits,
    vocabulary=Vocabulary(too_long=(_TOO_LONG,)),
    response_id=lambda number: (
        f"{_ids.letters(number, 7)}-{_ids.letters(number + 1, 6)}-{_ids.hexadecimal(number, 16)}"
    ),
)
"""Models carry their vendor's name: `meta-llama/Llama-3.3-70B-Instruct-Turbo`. Recorded in 2024 and 2025."""
