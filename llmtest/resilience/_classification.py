"""What an error means for the policies: one table over the error tree, read by all of them.

Three questions are kept apart, because their answers differ (design D7): is it worth asking the same provider again,
may another one be asked instead, and does it tell that the provider is ill. A wrong request tells nothing about the
provider: it neither opens nor closes a circuit.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from llmtest.errors import (
    AllProvidersFailedError,
    AuthenticationError,
    BudgetExceededError,
    CircuitOpenError,
    ContentFilteredError,
    ContextLengthExceededError,
    DeadlineExceededError,
    InvalidRequestError,
    InvalidResponseError,
    LLMTestError,
    ModelNotFoundError,
    NotSupportedError,
    PermissionDeniedError,
    ProviderConnectionError,
    ProviderError,
    ProviderTimeoutError,
    QuotaExceededError,
    RateLimitedError,
    ServerError,
    SessionExpiredError,
    SessionRenewalFailedError,
    StreamInterruptedError,
    ThrottledError,
)

__all__ = ["Conduct", "conduct_of", "outcome_of"]

Elsewhere = Literal["yes", "no", "other_credential", "larger_window"]


class Conduct(NamedTuple):
    """What to do about an error.

    `retry`: ask the same provider again. `fall_back`: ask another one; `other_credential` and `larger_window` only one
    that has that. `counts`: it counts as a failure for the circuit breaker.
    """

    retry: bool
    fall_back: Elsewhere
    counts: bool


HOPELESS = Conduct(retry=False, fall_back="no", counts=False)

TABLE: dict[type[BaseException], Conduct] = {
    # A full quota passes by itself: the circuit cools down until then, and no failure is counted.
    RateLimitedError: Conduct(retry=True, fall_back="yes", counts=False),
    QuotaExceededError: Conduct(retry=False, fall_back="yes", counts=False),
    ServerError: Conduct(retry=True, fall_back="yes", counts=True),
    ProviderConnectionError: Conduct(retry=True, fall_back="yes", counts=True),
    ProviderTimeoutError: Conduct(retry=True, fall_back="yes", counts=True),
    StreamInterruptedError: Conduct(retry=True, fall_back="yes", counts=True),
    InvalidResponseError: Conduct(retry=False, fall_back="yes", counts=False),
    AuthenticationError: Conduct(retry=False, fall_back="other_credential", counts=False),
    SessionExpiredError: Conduct(retry=False, fall_back="other_credential", counts=True),
    SessionRenewalFailedError: Conduct(retry=True, fall_back="yes", counts=True),
    PermissionDeniedError: Conduct(retry=False, fall_back="other_credential", counts=False),
    ContextLengthExceededError: Conduct(retry=False, fall_back="larger_window", counts=False),
    ContentFilteredError: HOPELESS,
    InvalidRequestError: HOPELESS,
    ModelNotFoundError: Conduct(retry=False, fall_back="yes", counts=False),
    NotSupportedError: Conduct(retry=False, fall_back="yes", counts=False),
    ProviderError: Conduct(retry=False, fall_back="yes", counts=True),
    CircuitOpenError: Conduct(retry=False, fall_back="yes", counts=False),
    # The next provider may have room at once; this one is well.
    ThrottledError: Conduct(retry=False, fall_back="yes", counts=False),
    BudgetExceededError: HOPELESS,
    DeadlineExceededError: HOPELESS,
    LLMTestError: HOPELESS,
    BaseException: HOPELESS,
}
AFTER_COMMIT = Conduct(retry=False, fall_back="no", counts=True)
"""A stream that broke after the caller had seen some of it: another answer would only be glued to this one."""

_resolved: dict[type[BaseException], Conduct] = {}


def conduct_of(error: BaseException) -> Conduct:
    """Return what to do about an error, by its class; what the provider itself says about retrying goes first."""
    kind = type(error)
    conduct = _resolved.get(kind)
    if conduct is None:
        conduct = _resolved[kind] = next(TABLE[base] for base in kind.__mro__ if base in TABLE)
    if isinstance(error, AllProvidersFailedError):
        # To a chain around it, a chain is as ill as any of its providers.
        causes = [conduct_of(cause) for _, cause in error.errors]
        retry, counts = any(cause.retry for cause in causes), any(cause.counts for cause in causes)
        return Conduct(retry=retry, fall_back="yes", counts=counts)
    if isinstance(error, ProviderError):
        if isinstance(error, StreamInterruptedError) and error.visible:
            return AFTER_COMMIT
        if error.should_retry is not None and error.should_retry is not conduct.retry:
            return conduct._replace(retry=error.should_retry)
    return conduct


def outcome_of(error: BaseException) -> str:
    """Return the word or status by which a trace knows an error."""
    if isinstance(error, CircuitOpenError):
        return "circuit_open"
    if isinstance(error, ThrottledError):
        return "throttled"
    if not isinstance(error, ProviderError):
        return "error"
    if isinstance(error, InvalidResponseError):
        return "malformed"
    if error.status is not None and not isinstance(error, StreamInterruptedError) and error.status >= 400:
        return str(error.status)
    return error.outcome or "error"
