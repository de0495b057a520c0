"""When a slot hands a failed call on to the next one."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, Self

from llmtest.errors import (
    AuthenticationError,
    BudgetExceededError,
    CircuitOpenError,
    ConfigurationError,
    ContextLengthExceededError,
    DeadlineExceededError,
    ModelNotFoundError,
    NotSupportedError,
    PermissionDeniedError,
    ProviderConnectionError,
    ProviderTimeoutError,
    QuotaExceededError,
    RateLimitedError,
    ServerError,
    StreamInterruptedError,
)
from llmtest.resilience._classification import Elsewhere, conduct_of
from llmtest.types._spelling import settings_tell_near_arguments

__all__ = ["FallbackCondition", "FallbackTrigger"]


class FallbackCondition(StrEnum):
    """A kind of failure that may send a call to the next provider."""

    RATE_LIMITED = "rate_limited"
    QUOTA_EXCEEDED = "quota_exceeded"
    NETWORK_ERROR = "network_error"
    TIMEOUT = "timeout"
    AUTH_ERROR = "auth_error"
    PROVIDER_UNAVAILABLE = "provider_unavailable"
    CONTEXT_LENGTH_EXCEEDED = "context_length_exceeded"
    MODEL_NOT_FOUND = "model_not_found"
    SERVER_ERROR = "server_error"

    def matches(self, error: BaseException) -> bool:
        """Tell whether an error is of this kind."""
        return isinstance(error, _CLASSES[self])


_CLASSES: dict[FallbackCondition, tuple[type[BaseException], ...]] = {
    FallbackCondition.RATE_LIMITED: (RateLimitedError,),
    FallbackCondition.QUOTA_EXCEEDED: (QuotaExceededError,),
    FallbackCondition.NETWORK_ERROR: (ProviderConnectionError, StreamInterruptedError),
    FallbackCondition.TIMEOUT: (ProviderTimeoutError,),
    FallbackCondition.AUTH_ERROR: (AuthenticationError, PermissionDeniedError),
    FallbackCondition.PROVIDER_UNAVAILABLE: (NotSupportedError,),
    FallbackCondition.CONTEXT_LENGTH_EXCEEDED: (ContextLengthExceededError,),
    FallbackCondition.MODEL_NOT_FOUND: (ModelNotFoundError,),
    FallbackCondition.SERVER_ERROR: (ServerError,),
}

Mode = Literal["default", "any_error", "never", "conditions"]


@settings_tell_near_arguments
@dataclass(frozen=True, slots=True)
class FallbackTrigger:
    """Which failures of a slot send the call to the next one; use the constructors.

    Whatever the trigger, four things never fall back: a budget that refused, a deadline that passed, a cancelled
    call, and a stream of which the caller has already seen something. An open circuit always does, except with
    `never`.
    """

    mode: Mode = "default"
    conditions: tuple[FallbackCondition, ...] = ()

    @classmethod
    def default(cls) -> Self:
        """Fall back when another provider can help.

        On full quotas, server errors, connections, timeouts, unreadable answers and unknown models; on a refused key
        only to another key, on a prompt that is too long only to a larger window. Not on a wrong request, nor on a
        prompt that a content policy refused.
        """
        return cls("default")

    @classmethod
    def any_error(cls) -> Self:
        """Fall back on every failure, wrong requests and content policies included."""
        return cls("any_error")

    @classmethod
    def never(cls) -> Self:
        """Hand every failure to the caller."""
        return cls("never")

    @classmethod
    def on(cls, *conditions: FallbackCondition | str) -> Self:
        """Fall back on the named kinds of failure only.

        Args:
            conditions: One or more conditions, or their names, such as `"rate_limited"`.

        Raises:
            ConfigurationError: No condition, or a name that none has.
        """
        if not conditions:
            raise ConfigurationError("a trigger needs at least one condition. To fix: use FallbackTrigger.never()")
        try:
            return cls("conditions", tuple(dict.fromkeys(FallbackCondition(condition) for condition in conditions)))
        except ValueError as error:
            known = ", ".join(FallbackCondition)
            raise ConfigurationError(f"{error}. Known conditions: {known}") from None

    @classmethod
    def mofa(cls) -> Self:
        """Fall back as MoFA's default does: it knows no server errors, and takes a refused key to any provider."""
        condition = FallbackCondition
        return cls.on(
            condition.RATE_LIMITED,
            condition.QUOTA_EXCEEDED,
            condition.NETWORK_ERROR,
            condition.TIMEOUT,
            condition.AUTH_ERROR,
        )

    def judge(self, error: BaseException) -> Elsewhere:
        """Tell where a call that failed with `error` may go."""
        mode = self.mode
        if mode == "never" or not isinstance(error, Exception):
            return "no"
        if isinstance(error, BudgetExceededError | DeadlineExceededError | ConfigurationError):
            return "no"
        if isinstance(error, StreamInterruptedError) and error.visible:
            return "no"
        if mode == "default" or isinstance(error, CircuitOpenError):
            return conduct_of(error).fall_back
        if mode == "any_error":
            return "yes"
        return "yes" if any(condition.matches(error) for condition in self.conditions) else "no"
