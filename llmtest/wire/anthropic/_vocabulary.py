"""What Anthropic calls its failures."""

from __future__ import annotations

import re

from llmtest.errors import (
    AuthenticationError,
    InvalidRequestError,
    ModelNotFoundError,
    OverloadedError,
    PermissionDeniedError,
    QuotaExceededError,
    RateLimitedError,
    RequestTooLargeError,
    ServerError,
)
from llmtest.wire._vocabulary import Vocabulary

__all__ = ["VOCABULARY"]

VOCABULARY = Vocabulary(
    codes={
        "billing_error": QuotaExceededError,
        "rate_limit_error": RateLimitedError,
        "authentication_error": AuthenticationError,
        "permission_error": PermissionDeniedError,
        "not_found_error": ModelNotFoundError,
        "request_too_large": RequestTooLargeError,
        "overloaded_error": OverloadedError,
        "timeout_error": ServerError,
        "api_error": ServerError,
        "invalid_request_error": InvalidRequestError,
    },
    too_long=(
        re.compile(r"prompt is too long: (?P<asked>\d+) tokens > (?P<max>\d+)"),
        re.compile(r"exceed context limit: (?P<asked>\d+ \+ \d+|\d+) > (?P<max>\d+)"),
        re.compile(r"prompt is too long|exceed context limit"),
    ),
    filtered=("content filtering policy",),
    no_credit=("credit balance is too low",),
)
