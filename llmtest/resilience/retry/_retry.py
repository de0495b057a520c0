"""When to ask the same provider again, and after how long."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import InitVar, dataclass, field
from math import isfinite
from typing import Any, Literal, Self, get_args

from llmtest.errors import (
    AllProvidersFailedError,
    ConfigurationError,
    ProviderError,
    ProviderTimeoutError,
    RateLimitedError,
)
from llmtest.resilience._classification import conduct_of
from llmtest.resilience.retry._retry_budget import RetryBudget
from llmtest.resilience.retry._retry_condition import conditions_of
from llmtest.types._spelling import settings_tell_near_arguments

__all__ = ["Backoff", "Jitter", "RetryConfig"]

Backoff = Literal["fixed", "linear", "exponential", "decorrelated"]
"""How waits grow."""
Jitter = Literal["none", "equal", "full", "quarter"]
"""How waits are drawn."""
DEFAULT_MULTIPLIER = 2.0


@settings_tell_near_arguments
@dataclass(frozen=True, slots=True, kw_only=True)
class RetryConfig:
    """Ask the same provider again after a failure that may pass.

    By default the wait before retry n is drawn from 0 to `base_delay * multiplier ** (n - 1)` (full jitter, so that
    clients do not come back together), then cut to `max_delay`. A provider that says when to come back
    is obeyed: the wait is never shorter than its `Retry-After`. If that is longer than `max_retry_after`, or than the
    call's deadline, there is no retry, and the chain falls back at once.

    Args:
        max_attempts: Requests to one provider, the first included; 1 or more. 1 never retries.
        base_delay: Longest wait before the first retry, in seconds; 0 or more.
        multiplier: How the longest wait grows; 1.0 or more. For `exponential` alone.
        max_delay: Longest wait of all, in seconds, jitter included; a longer `Retry-After` is obeyed nevertheless.
        jitter: How waits are drawn: `full` (True), from 0 to the longest; `equal`, from half of it; `quarter`, from a
            quarter less to a quarter more; `none` (False), not at all; or a number of seconds, 0 or more, that is added
            as a share that is drawn.
        max_retry_after: Longest `Retry-After` that is waited for, in seconds.
        max_timeout_retries: Retries after a timeout, of all that are allowed; 0 or more. A timeout has cost its whole
            limit already.
        budget: Limit on retries as a share of calls; None sets none.
        backoff: How the longest wait grows: `fixed` stays `base_delay`, `linear` grows by it, `exponential` by
            `multiplier`; `decorrelated` draws each wait from `base_delay` to three times the last one, and has no other
            jitter.
        min_delay: Shortest wait, in seconds; 0 to `max_delay`.
        rate_limit_delay: Wait after a 429 without a `Retry-After`, in seconds, 0 or more; None waits as otherwise.
        retry_on: After which failures, by name: `rate_limited`, `server_error`, `network_error`, `timeout`,
            `invalid_response`. None: after each that may pass, which all are but the last one.
        max_retries: Another name for `max_attempts`, not counting the first; it wins where both are given.

    Raises:
        ConfigurationError: A value is out of its range, or two settings contradict each other.

    Example:
        >>> RetryConfig(max_retries=2).max_attempts
        3
    """

    max_attempts: int = 3
    base_delay: float = 1.0
    multiplier: float = DEFAULT_MULTIPLIER
    max_delay: float = 10.0
    jitter: Jitter | bool | float = True
    max_retry_after: float = 60.0
    max_timeout_retries: int = 1
    budget: RetryBudget | None = field(default=None, compare=False)
    backoff: Backoff = "exponential"
    min_delay: float = 0.0
    rate_limit_delay: float | None = None
    retry_on: Iterable[str] | None = None
    max_retries: InitVar[int | None] = None

    def __post_init__(self, max_retries: int | None) -> None:
        if max_retries is not None:
            if max_retries < 0:
                raise ConfigurationError(f"max_retries must be 0 or more, got {max_retries}")
            object.__setattr__(self, "max_attempts", max_retries + 1)
        if self.retry_on is not None:
            object.__setattr__(self, "retry_on", conditions_of(self.retry_on))
        if self.max_attempts < 1:
            raise ConfigurationError(f"max_attempts must be 1 or more, got {self.max_attempts}")
        if self.max_timeout_retries < 0:
            raise ConfigurationError(f"max_timeout_retries must be 0 or more, got {self.max_timeout_retries}")
        if not self.multiplier >= 1.0:
            raise ConfigurationError(f"multiplier must be 1.0 or more, got {self.multiplier}")
        for name in ("base_delay", "max_delay", "max_retry_after", "min_delay", "rate_limit_delay"):
            value = getattr(self, name)
            if value is not None and not value >= 0:
                raise ConfigurationError(f"{name} must be 0 or more seconds, got {value}")
        self._check_backoff()

    def _check_backoff(self) -> None:
        """Refuse a shape of waits that is unknown, or that settings contradict."""
        if self.backoff not in get_args(Backoff):
            raise ConfigurationError(f"backoff is {_listed(Backoff)}, got {self.backoff!r}")
        jitter = self.jitter
        if jitter not in get_args(Jitter) and (isinstance(jitter, str) or not (isfinite(jitter) and jitter >= 0)):
            raise ConfigurationError(f"jitter is {_listed(Jitter)}, or 0 or more seconds, got {jitter!r}")
        if self.backoff != "exponential" and self.multiplier != DEFAULT_MULTIPLIER:
            raise ConfigurationError(
                f"multiplier={self.multiplier} decides nothing, because backoff={self.backoff!r} does not multiply.\n"
                'To fix: leave one of the two out, or write backoff="exponential"'
            )
        if self.backoff == "decorrelated" and jitter is not True and jitter != "full":
            raise ConfigurationError(
                f'backoff="decorrelated" draws its waits by itself, so that jitter={jitter!r} would not hold.\n'
                "To fix: leave jitter out"
            )
        if self.min_delay > self.max_delay:
            raise ConfigurationError(f"min_delay must be 0 to max_delay={self.max_delay} seconds, got {self.min_delay}")

    @classmethod
    def none(cls) -> Self:
        """Return what never asks again."""
        return cls(max_attempts=1)

    @classmethod
    def ironclaw(cls) -> Self:
        """Return IronClaw's numbers: 3 retries, 1 s doubling, ±25 %, at least 100 ms; 60 s after a 429 without a time.

        A `Retry-After` is waited for up to an hour, as far as the call has time.
        """
        return cls(
            max_retries=3,
            max_delay=3600.0,
            min_delay=0.1,
            jitter="quarter",
            rate_limit_delay=60.0,
            max_retry_after=3600.0,
        )

    @classmethod
    def llmkit_production(cls) -> Self:
        """Return llmkit's numbers for production: 10 retries, 1 s doubling to 300 s, ±25 %, never longer."""
        return cls(max_retries=10, max_delay=300.0, jitter="quarter", max_retry_after=300.0)

    @classmethod
    def conservative(cls) -> Self:
        """Return llmkit's careful numbers: 3 retries, 1 s doubling to 30 s, ±25 %."""
        return cls(max_retries=3, max_delay=30.0, jitter="quarter")

    @classmethod
    def mofa(cls) -> Self:
        """Return MoFA's numbers: 3 attempts, 1 s doubling to 30 s, up to 500 ms more, unreadable answers too.

        Its re-prompting of answers that cannot be read is `PromptRetry`.
        """
        on = ("network_error", "rate_limited", "invalid_response", "server_error")
        return cls(max_attempts=3, max_delay=30.0, jitter=0.5, retry_on=on)

    @classmethod
    def caxton(cls) -> Self:
        """Return Caxton's numbers: 3 attempts, 1 s doubling to 10 s, after timeouts, rate limits and server errors."""
        return cls(max_attempts=3, jitter="none", retry_on=("timeout", "rate_limited", "server_error"))

    def allows(self, error: BaseException, attempts: int, timeouts: int) -> bool:
        """Tell whether a provider may be asked again.

        Args:
            error: What the last attempt failed with.
            attempts: Attempts made so far.
            timeouts: How many of them were timeouts.
        """
        if attempts >= self.max_attempts or not self._may_pass(error):
            return False
        if isinstance(error, ProviderTimeoutError) and timeouts > self.max_timeout_retries:
            return False
        asked = _asked_wait(error)
        return asked is None or asked <= self.max_retry_after

    def _may_pass(self, error: BaseException) -> bool:
        conditions: Any = self.retry_on
        return conduct_of(error).retry if conditions is None else any(each.matches(error) for each in conditions)

    def delay(self, error: BaseException, retry: int, draw: float, previous: float = 0.0) -> float:
        """Return the seconds to wait before retry number `retry`, from 1.

        Args:
            error: What the last attempt failed with; the newest `Retry-After` counts.
            retry: Number of the retry.
            draw: A number in [0, 1).
            previous: The wait before the last retry, in seconds; 0 before the first.
        """
        delay = max(min(self._drawn(retry, draw, previous), self.max_delay), self.min_delay)
        asked = _asked_wait(error)
        if asked is None and isinstance(error, RateLimitedError):
            asked = self.rate_limit_delay
        return delay if asked is None else max(delay, asked)

    def _drawn(self, retry: int, draw: float, previous: float) -> float:
        base, backoff, jitter = self.base_delay, self.backoff, self.jitter
        if backoff == "decorrelated":
            return base + max((previous or base) * 3 - base, 0.0) * draw
        ceiling = base
        if backoff == "exponential":
            ceiling = base * self.multiplier ** min(retry - 1, 64)
        elif backoff == "linear":
            ceiling = base * retry
        if jitter is True or jitter == "full":
            return ceiling * draw
        if jitter is False or jitter == "none":
            return ceiling
        if jitter == "equal":
            return ceiling * (1 + draw) / 2
        return ceiling * (0.75 + draw / 2) if jitter == "quarter" else ceiling + float(jitter) * draw


def _listed(words: Any) -> str:
    *most, last = (f"`{word}`" for word in get_args(words))
    return f"{', '.join(most)} or {last}"


def _asked_wait(error: BaseException) -> float | None:
    """Return the seconds that a provider, or a whole chain of them, asks to wait."""
    return error.retry_after if isinstance(error, ProviderError | AllProvidersFailedError) else None
