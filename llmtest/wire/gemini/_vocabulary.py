"""What Google calls its failures."""

from __future__ import annotations

import re

from llmtest.errors import (
    AuthenticationError,
    InvalidRequestError,
    ModelNotFoundError,
    OverloadedError,
    PermissionDeniedError,
    RateLimitedError,
    ServerError,
)
from llmtest.wire._vocabulary import Vocabulary

__all__ = ["VOCABULARY"]

_TOO_LONG = "exceeds the maximum number of tokens allowed"

VOCABULARY = Vocabulary(
    codes={
        "INVALID_ARGUMENT": InvalidRequestError,
        "FAILED_PRECONDITION": InvalidRequestError,
        "UNAUTHENTICATED": AuthenticationError,
        "API_KEY_INVALID": AuthenticationError,
        "PERMISSION_DENIED": PermissionDeniedError,
        "NOT_FOUND": ModelNotFoundError,
        "RESOURCE_EXHAUSTED": RateLimitedError,
        "INTERNAL": ServerError,
        "UNAVAILABLE": OverloadedError,
        "DEADLINE_EXCEEDED": ServerError,
    },
    too_long=(
        re.compile(
            r"input token count \((?P<asked>\d+)\) exceeds the maximum number of tokens allowed \((?P<max>\d+)\)"
        ),
        re.compile(r"exceeds the maximum number of tokens allowed"),
    ),
    no_credit=("prepayment credits are depleted",),
)
