"""A limit on retries as a share of all calls."""

from __future__ import annotations

import threading

from llmtest.errors import ConfigurationError
from llmtest.types._spelling import settings_tell_near_arguments

__all__ = ["RetryBudget"]


@settings_tell_near_arguments
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
