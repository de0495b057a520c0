"""A token bucket in whole numbers, whose waits are true."""

from __future__ import annotations

__all__ = ["TokenBucket"]

MINUTE_NS = 60_000_000_000


class TokenBucket:
    """So many a minute, refilled all the time and never above a minute's worth.

    Levels are whole multiples of one sixty-billionth, so that nothing is rounded and a bucket admits exactly when its
    `wait_ns` said it would.

    Args:
        per_minute: How many a minute; 1 or more.
        now_ns: Time at which it is full.
        period_ns: What is meant by a minute; 1 or more.
    """

    __slots__ = ("_at_ns", "_level", "_period_ns", "per_minute")

    def __init__(self, per_minute: int, now_ns: int, *, period_ns: int = MINUTE_NS) -> None:
        self.per_minute = per_minute
        self._period_ns = period_ns
        self._level = per_minute * period_ns
        self._at_ns = now_ns

    def _refill(self, now_ns: int) -> None:
        if now_ns > self._at_ns:
            full = self.per_minute * self._period_ns
            self._level = min(full, self._level + (now_ns - self._at_ns) * self.per_minute)
            self._at_ns = now_ns

    def wait_ns(self, amount: int, now_ns: int) -> int:
        """Return how long until `amount` can be taken; 0 where it can be taken now."""
        self._refill(now_ns)
        missing = amount * self._period_ns - self._level
        return 0 if missing <= 0 else -(-missing // self.per_minute)

    def take(self, amount: int) -> None:
        """Take what `wait_ns` has just admitted, or charge what turned out later; the level may go below zero."""
        self._level -= amount * self._period_ns

    def left(self, now_ns: int) -> int:
        """Return how many can be taken now, whole ones; 0 where the level is below zero."""
        self._refill(now_ns)
        return max(0, self._level // self._period_ns)

    def full_in_ns(self, now_ns: int) -> int:
        """Return how long until a minute's worth is there again."""
        self._refill(now_ns)
        return -(-(self.per_minute * self._period_ns - self._level) // self.per_minute)
