"""When to ask the same provider again, and after how long."""

from __future__ import annotations

import threading
from dataclasses import InitVar, dataclass, field

from llmtest.errors import AllProvidersFailedError, ConfigurationError, ProviderError, ProviderTimeoutError
from llmtest.resilience._classification import conduct_of

__all__ = ["RetryBudget", "RetryConfig"]


class RetryBudget:
    """A limit on retries as a share of all calls, so that retries do not multiply an outage.

    Every call adds `ratio` to the account, every retry takes 1 from it. Share one among all slots and chains that
    reach the same provider.

    Args:
        ratio: Retries that each call pays for; 0.0 to 1.0. At 0.2, a fifth more requests in an outage.
        reserve: Retries that are there from the start, and the most that is ever saved up; 0 or more.
    """

    def __init__(self, ratio: float = 0.2, reserve: int = 10) -> None:
        if not 0.0 <= ratio <= 1.0:
            raise ConfigurationError(f"ratio must be from 0.0 to 1.0, got {ratio}")
        if reserve < 0:
            raise ConfigurationError(f"reserve must be 0 or more, got {reserve}")
        self.ratio = ratio
        self.reserve = reserve
        self._tokens = float(reserve)
        self._lock = threading.Lock()

    def deposit(self) -> None:
        """Count a call."""
        with self._lock:
            self._tokens = min(self._tokens + self.ratio, max(float(self.reserve), 1.0))

    def try_withdraw(self) -> bool:
        """Take one retry; return False if none is left."""
        with self._lock:
            if self._tokens < 1.0:
                return False
            self._tokens -= 1.0
            return True


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryConfig:
    """Ask the same provider again after a failure that may pass.

    The wait before retry n is drawn from 0 to `base_delay * multiplier ** (n - 1)` (full jitter, so that clients do
    not come back together), then cut to `max_delay`. A provider that says when to come back is obeyed: the wait is
    never shorter than its `Retry-After`. If that is longer than `max_retry_after`, or than the call's deadline, there
    is no retry, and the chain falls back at once.

    Args:
        max_attempts: Requests to one provider, the first included; 1 or more. 1 never retries.
        base_delay: Longest wait before the first retry, in seconds; 0 or more.
        multiplier: How the longest wait grows; 1.0 or more.
        max_delay: Longest wait of all, in seconds; a longer `Retry-After` is obeyed nevertheless.
        jitter: Whether waits are drawn; False waits the longest each time.
        max_retry_after: Longest `Retry-After` that is waited for, in seconds.
        max_timeout_retries: Retries after a timeout, of all that are allowed; 0 or more. A timeout has cost its whole
            limit already.
        budget: Limit on retries as a share of calls; None sets none.
        max_retries: Another name for `max_attempts`, not counting the first; it wins where both are given.

    Example:
        >>> RetryConfig(max_retries=2).max_attempts
        3
    """

    max_attempts: int = 3
    base_delay: float = 1.0
    multiplier: float = 2.0
    max_delay: float = 10.0
    jitter: bool = True
    max_retry_after: float = 60.0
    max_timeout_retries: int = 1
    budget: RetryBudget | None = field(default=None, compare=False)
    max_retries: InitVar[int | None] = None

    def __post_init__(self, max_retries: int | None) -> None:
        if max_retries is not None:
            if max_retries < 0:
                raise ConfigurationError(f"max_retries must be 0 or more, got {max_retries}")
            object.__setattr__(self, "max_attempts", max_retries + 1)
        if self.max_attempts < 1:
            raise ConfigurationError(f"max_attempts must be 1 or more, got {self.max_attempts}")
        if self.max_timeout_retries < 0:
            raise ConfigurationError(f"max_timeout_retries must be 0 or more, got {self.max_timeout_retries}")
        if not self.multiplier >= 1.0:
            raise ConfigurationError(f"multiplier must be 1.0 or more, got {self.multiplier}")
        for name in ("base_delay", "max_delay", "max_retry_after"):
            if not getattr(self, name) >= 0:
                raise ConfigurationError(f"{name} must be 0 or more seconds, got {getattr(self, name)}")

    def allows(self, error: BaseException, attempts: int, timeouts: int) -> bool:
        """Tell whether a provider may be asked again.

        Args:
            error: What the last attempt failed with.
            attempts: Attempts made so far.
            timeouts: How many of them were timeouts.
        """
        if attempts >= self.max_attempts or not conduct_of(error).retry:
            return False
        if isinstance(error, ProviderTimeoutError) and timeouts > self.max_timeout_retries:
            return False
        asked = _asked_wait(error)
        return asked is None or asked <= self.max_retry_after

    def delay(self, error: BaseException, retry: int, draw: float) -> float:
        """Return the seconds to wait before retry number `retry`, from 1.

        Args:
            error: What the last attempt failed with; the newest `Retry-After` counts.
            retry: Number of the retry.
            draw: A number in [0, 1).
        """
        ceiling = self.base_delay * self.multiplier ** min(retry - 1, 64)
        delay = min(ceiling * draw if self.jitter else ceiling, self.max_delay)
        asked = _asked_wait(error)
        return delay if asked is None else max(delay, asked)


def _asked_wait(error: BaseException) -> float | None:
    """Return the seconds that a provider, or a whole chain of them, asks to wait."""
    return error.retry_after if isinstance(error, ProviderError | AllProvidersFailedError) else None
