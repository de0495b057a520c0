"""Quotas: token buckets in whole numbers, whose `Retry-After` is the true wait."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from llmtest.errors import ConfigurationError
from llmtest.simulation._numbers import is_whole
from llmtest.wire import LimitState, RateLimits

__all__ = ["Quota", "Refusal", "TokenBucket"]

MINUTE_NS = 60_000_000_000


class TokenBucket:
    """So many a minute, refilled all the time and never above a minute's worth.

    Levels are whole multiples of one sixty-billionth, so that nothing is rounded and a bucket admits exactly when its
    `wait_ns` said it would.

    Args:
        per_minute: How many a minute; 1 or more.
        now_ns: Time at which it is full.
    """

    __slots__ = ("_at_ns", "_level", "per_minute")

    def __init__(self, per_minute: int, now_ns: int) -> None:
        self.per_minute = per_minute
        self._level = per_minute * MINUTE_NS
        self._at_ns = now_ns

    def _refill(self, now_ns: int) -> None:
        if now_ns > self._at_ns:
            full = self.per_minute * MINUTE_NS
            self._level = min(full, self._level + (now_ns - self._at_ns) * self.per_minute)
            self._at_ns = now_ns

    def wait_ns(self, amount: int, now_ns: int) -> int:
        """Return how long until `amount` can be taken; 0 where it can be taken now."""
        self._refill(now_ns)
        missing = amount * MINUTE_NS - self._level
        return 0 if missing <= 0 else -(-missing // self.per_minute)

    def take(self, amount: int) -> None:
        """Take what `wait_ns` has just admitted, or charge what turned out later; the level may go below zero."""
        self._level -= amount * MINUTE_NS

    def state(self, now_ns: int) -> LimitState:
        """Return limit, rest, and seconds until it is full again."""
        self._refill(now_ns)
        missing = self.per_minute * MINUTE_NS - self._level
        return LimitState(self.per_minute, max(0, self._level // MINUTE_NS), -(-missing // self.per_minute) / 1e9)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a quota turned a request down.

    Args:
        kind: Which limit was reached.
        wait_ns: True wait until this request would be admitted; None where it never will be, being larger than a
            whole minute's quota.
    """

    kind: Literal["requests", "tokens"]
    wait_ns: int | None


class Quota:
    """Requests and tokens a minute of one provider.

    Args:
        rpm: Requests a minute; 1 or more, None: no limit.
        tpm: Tokens a minute, prompt and answer together; 1 or more, None: no limit.
        now_ns: Time at which both are full.

    Raises:
        ConfigurationError: No limit is given, or one is below 1.
    """

    __slots__ = ("_requests", "_tokens")

    def __init__(self, rpm: int | None, tpm: int | None, now_ns: int) -> None:
        for name, value in (("rpm", rpm), ("tpm", tpm)):
            if value is not None and not is_whole(value, 1):
                raise ConfigurationError(
                    f"limits: {name} must be a whole number, 1 or more, got {value!r}.\n\n"
                    "To fix: limits(rpm=600, tpm=400_000)"
                )
        if rpm is None and tpm is None:
            raise ConfigurationError("limits: neither rpm nor tpm is given.\n\nTo fix: limits(rpm=600, tpm=400_000)")
        self._requests = None if rpm is None else TokenBucket(rpm, now_ns)
        self._tokens = None if tpm is None else TokenBucket(tpm, now_ns)

    def admit(self, tokens: int, now_ns: int) -> Refusal | None:
        """Take one request and its tokens, or say why not; a refused request takes nothing."""
        requests, bucket = self._requests, self._tokens
        if requests is not None and (wait := requests.wait_ns(1, now_ns)):
            return Refusal("requests", wait)
        if bucket is not None and (wait := bucket.wait_ns(tokens, now_ns)):
            return Refusal("tokens", None if tokens > bucket.per_minute else wait)
        if requests is not None:
            requests.take(1)
        if bucket is not None:
            bucket.take(tokens)
        return None

    def settle(self, tokens: int) -> None:
        """Charge tokens that were not known at admission; a negative number gives back."""
        if self._tokens is not None:
            self._tokens.take(tokens)

    def state(self, now_ns: int) -> RateLimits:
        """Return both limits as the provider's headers tell of them."""
        requests, tokens = self._requests, self._tokens
        return RateLimits(
            requests=None if requests is None else requests.state(now_ns),
            tokens=None if tokens is None else tokens.state(now_ns),
        )
