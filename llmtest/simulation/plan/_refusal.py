"""What a fault makes a provider answer: the error, with the facts of the model and the limits of the API."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from datetime import datetime
from typing import TYPE_CHECKING

from llmtest.errors import ContextLengthExceededError, ProviderError, RateLimitedError
from llmtest.faults import Fault, RateLimited
from llmtest.wire import Dialect, LimitState, RateLimits, ResponseMeta

if TYPE_CHECKING:
    from llmtest.simulation.plan._answer import Answer

__all__ = ["limits_of", "refusal_of"]

A_MINUTE = 60


def refusal_of(
    fault: Fault, answer: Answer, now: datetime, window_of: Callable[[str | None], int | None]
) -> ProviderError | None:
    """Return the error that a fault answers, or tells inside a stream; None where it answers nothing.

    Args:
        fault: What goes wrong.
        answer: Whose answer it is.
        now: Time of the answer.
        window_of: Tells how many tokens a model holds; None where nobody knows.
    """
    error = fault.refusal(answer.model)
    if error is None:
        return None
    error.retry_after = fault.wait(now)
    if isinstance(error, ContextLengthExceededError):
        if error.max_tokens is None:
            error.max_tokens = window_of(answer.model)
        if error.requested_tokens is None and error.max_tokens is not None:
            error.requested_tokens = error.max_tokens + max(1, error.max_tokens // 20)
    return error


def limits_of(fault: Fault, error: ProviderError, answer: Answer, now: datetime, dialect: Dialect) -> RateLimits | None:
    """Return the limits that the headers of a 429 tell of; None for any other error.

    Used up is the limit that was reached, until the time of which the answer speaks; of the others the request has
    taken its part. An exhausted account has not reached a limit.
    """
    is_reached = isinstance(error, RateLimitedError)
    if dialect.errors.worded(copy(error), ResponseMeta()).status != 429:
        return None
    reset = fault.limit_reset(now) if isinstance(fault, RateLimited) else 0.0
    found: dict[str, LimitState] = {}
    for kind, limit in dialect.usual_limits.items():
        if kind == "requests":
            used = limit if is_reached else 1
        else:
            used = 0 if kind == "output_tokens" else min(limit, answer.prompt_tokens)
        back = used / limit * A_MINUTE
        found[kind] = LimitState(limit, limit - used, reset if kind == "requests" and is_reached else back)
    return RateLimits(**found) if found else None
