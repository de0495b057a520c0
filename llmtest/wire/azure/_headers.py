"""Headers of Azure's answers: who answered, and rate limits, whose resets are whole seconds."""

from __future__ import annotations

import math
from datetime import datetime

from llmtest.wire import _ids
from llmtest.wire._records import Headers, RateLimits, ResponseMeta

__all__ = ["head", "limit_headers"]

REGION = "East US 2"


def head(meta: ResponseMeta) -> Headers:
    """Write the headers that every answer has; recorded from Azure in 2024 and 2025."""
    return (
        *(() if meta.number is None else (("apim-request-id", _ids.uuid(meta.number + 1)),)),
        ("strict-transport-security", "max-age=31536000; includeSubDomains; preload"),
        ("x-content-type-options", "nosniff"),
        ("x-ms-region", REGION),
        *(() if meta.model is None or not meta.model.isascii() else (("x-ms-deployment-name", meta.model),)),
        *(() if meta.request_id is None else (("x-request-id", meta.request_id),)),
    )


def limit_headers(limits: RateLimits, now: datetime) -> Headers:  # noqa: ARG001 - its resets are durations
    """Write `x-ratelimit-*` headers: resets are bare seconds, where OpenAI has `12ms`."""
    found: list[tuple[str, str]] = []
    for kind, state in (("requests", limits.requests), ("tokens", limits.tokens)):
        if state is not None:
            found += [
                (f"x-ratelimit-limit-{kind}", str(state.limit)),
                (f"x-ratelimit-remaining-{kind}", str(max(0, state.remaining))),
                (f"x-ratelimit-renewalperiod-{kind}", "60"),
                (f"x-ratelimit-reset-{kind}", str(math.ceil(state.reset_after))),
            ]
    return tuple(found)
