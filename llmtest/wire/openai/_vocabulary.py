"""What OpenAI, and servers that speak like it, call their failures."""

from __future__ import annotations

import re

from llmtest.errors import (
    AuthenticationError,
    ContentFilteredError,
    ContextLengthExceededError,
    InvalidRequestError,
    ModelNotFoundError,
    OverloadedError,
    QuotaExceededError,
    RateLimitedError,
    ServerError,
)
from llmtest.wire._vocabulary import Vocabulary

__all__ = ["VOCABULARY"]

_WINDOW = r"maximum context length is (?P<max>\d+) tokens?"

VOCABULARY = Vocabulary(
    codes={
        "insufficient_quota": QuotaExceededError,
        "billing_hard_limit_reached": QuotaExceededError,
        "rate_limit_exceeded": RateLimitedError,
        "invalid_api_key": AuthenticationError,
        "model_not_found": ModelNotFoundError,
        "context_length_exceeded": ContextLengthExceededError,
        "content_filter": ContentFilteredError,
        "content_policy_violation": ContentFilteredError,
        "server_is_overloaded": OverloadedError,
        "slow_down": OverloadedError,
        "gateway_timeout_error": ServerError,
        "server_error": ServerError,
        "internal_server_error": ServerError,
        "invalid_request_error": InvalidRequestError,
    },
    too_long=(
        re.compile(_WINDOW + r".*?(?:resulted in|for a total of at least) (?P<asked>\d+)", re.DOTALL),
        re.compile(_WINDOW + r".*?requested (?:about )?(?P<asked>\d+) tokens", re.DOTALL),
        re.compile(_WINDOW),
        re.compile(r"exceeds the context window|exceeds the available context size"),
    ),
    filtered=("violating our usage policy", "rejected as a result of our safety system"),
    no_credit=("exceeded your current quota, please check your plan and billing",),
)
