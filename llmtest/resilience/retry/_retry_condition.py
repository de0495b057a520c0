"""Kinds of failure after which asking the same provider again may help."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from llmtest.errors import (
    AllProvidersFailedError,
    ConfigurationError,
    InvalidResponseError,
    ProviderConnectionError,
    ProviderError,
    ProviderTimeoutError,
    RateLimitedError,
    ServerError,
    StreamInterruptedError,
)

__all__ = ["RetryCondition", "conditions_of"]


class RetryCondition(StrEnum):
    """A kind of failure that may pass when the same provider is asked again."""

    RATE_LIMITED = "rate_limited"
    SERVER_ERROR = "server_error"
    NETWORK_ERROR = "network_error"
    TIMEOUT = "timeout"
    INVALID_RESPONSE = "invalid_response"

    def matches(self, error: BaseException) -> bool:
        """Tell whether an error is of this kind; a chain's is, where one of its causes is."""
        if isinstance(error, AllProvidersFailedError):
            return any(self.matches(cause) for _, cause in error.errors)
        if isinstance(error, ProviderError) and error.should_retry is False:
            return False
        if isinstance(error, StreamInterruptedError) and error.visible:
            return False
        return isinstance(error, _CLASSES[self])


_CLASSES: dict[RetryCondition, tuple[type[BaseException], ...]] = {
    RetryCondition.RATE_LIMITED: (RateLimitedError,),
    RetryCondition.SERVER_ERROR: (ServerError,),
    RetryCondition.NETWORK_ERROR: (ProviderConnectionError, StreamInterruptedError),
    RetryCondition.TIMEOUT: (ProviderTimeoutError,),
    RetryCondition.INVALID_RESPONSE: (InvalidResponseError,),
}
OTHER_NAMES = {"rate_limit": "rate_limited", "network": "network_error", "serialization": "invalid_response"}
"""What Caxton and MoFA call them."""
HOPELESS = ("auth_error", "quota_exceeded", "provider_unavailable", "context_length_exceeded", "model_not_found")
"""Conditions that another provider may mend, and the same one never does."""


def conditions_of(names: Iterable[str]) -> tuple[RetryCondition, ...]:
    """Return conditions by their names, each once.

    Raises:
        ConfigurationError: There is none, one is unknown, or one never passes.
    """
    if isinstance(names, str):
        names = (names,)
    found = []
    for name in names:
        word = OTHER_NAMES.get(name, name)
        if word in HOPELESS:
            raise ConfigurationError(
                f"retry_on: `{name}` does not pass when the same provider is asked again.\n"
                f'To fix: leave it out, and send such calls to another one: FallbackTrigger.on("{word}")'
            )
        if word not in list(RetryCondition):
            known = ", ".join(RetryCondition)
            raise ConfigurationError(f"retry_on: `{name}` is no condition. Known conditions: {known}")
        found.append(RetryCondition(word))
    if not found:
        raise ConfigurationError(
            "retry_on is empty, so that nothing would be retried.\nTo fix: write RetryConfig.none()"
        )
    return tuple(dict.fromkeys(found))
