"""What an answer or an error tells of a provider: it is well, it is not, or nothing."""

from __future__ import annotations

from typing import NamedTuple

from llmtest.errors import (
    AuthenticationError,
    ConfigurationError,
    DeadlineExceededError,
    InvalidRequestError,
    LLMTestError,
    PermissionDeniedError,
    ProviderError,
    ProviderTimeoutError,
    QuotaExceededError,
    RateLimitedError,
)
from llmtest.resilience._classification import conduct_of, outcome_of
from llmtest.resilience.health._health_store import Told
from llmtest.types import CompletionResponse, FinishReason, TextPart, ThinkingPart

__all__ = ["Finding", "KeyErrors", "finding_of_call", "finding_of_error", "finding_of_response"]

KeyErrors = AuthenticationError | PermissionDeniedError
"""What says that a key is not taken."""
LIMIT_REACHED = "output limit was reached"
"""In the 400 of a model that has thought its `max_tokens` away and said nothing: "Could not finish the message because
max_tokens or model output limit was reached. Please try again with higher max_tokens." It has run, so it is well."""


class Finding(NamedTuple):
    """What was found. `outcome`: a status or a word; None for a success. `error_class`: of the error there was."""

    told: Told
    outcome: str | None = None
    error_class: str | None = None


WELL = Finding("success")
NOTHING = Finding("nothing")


def finding_of_response(response: CompletionResponse) -> Finding:
    """Return what an answer to a probe tells.

    One with nothing in it is none, unless it was cut off or the model has thought: then the limit of the probe is why.
    """
    for part in response.parts:
        if not isinstance(part, TextPart) or part.text.strip():
            return WELL
    cut = response.finish_reason in {FinishReason.LENGTH, FinishReason.CONTENT_FILTER, FinishReason.REFUSAL}
    has_thought = response.usage.reasoning_tokens or any(isinstance(part, ThinkingPart) for part in response.parts)
    return WELL if cut or has_thought else Finding("failure", "empty")


def finding_of_error(error: Exception) -> Finding:
    """Return what the failure of a probe tells.

    Whatever a provider answers a small, right call with other than an answer, calls would get too. A 429 passes by
    itself; an empty account does not. What was held back by our own policies tells nothing of the provider.
    """
    if isinstance(error, DeadlineExceededError):
        late = isinstance(error.__cause__, ProviderTimeoutError) or isinstance(error.last_error, ProviderTimeoutError)
        return Finding("failure", "timeout", "ProviderTimeoutError") if late else NOTHING
    if isinstance(error, RateLimitedError | ConfigurationError):
        return NOTHING
    if isinstance(error, LLMTestError) and not isinstance(error, ProviderError):
        return NOTHING
    if isinstance(error, InvalidRequestError) and LIMIT_REACHED in error.message:
        return WELL
    return _failure(error)


def finding_of_call(error: Exception) -> Finding:
    """Return what the failure of a call tells, which may as well be the caller's doing."""
    if conduct_of(error).counts or isinstance(error, KeyErrors | QuotaExceededError):
        return _failure(error)
    return NOTHING


def _failure(error: Exception) -> Finding:
    return Finding("failure", outcome_of(error), type(error).__name__)
