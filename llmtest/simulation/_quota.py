"""Quotas: token buckets in whole numbers, requests of a day and at once; a `Retry-After` is the true wait."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from llmtest.clock import TokenBucket
from llmtest.errors import ConfigurationError
from llmtest.types import is_whole
from llmtest.wire import LimitState, RateLimits

__all__ = ["Quota", "Refusal"]

DAY_NS = 86_400_000_000_000


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a quota turned a request down.

    Args:
        kind: Which limit was reached.
        wait_ns: True wait until this request would be admitted; None where it never will be, being larger than a
            whole minute's quota, or nobody knows when.
    """

    kind: Literal["requests", "tokens", "daily", "concurrent"]
    wait_ns: int | None


class Quota:
    """What one provider admits: requests and tokens a minute, requests a day, requests at once.

    Args:
        rpm: Requests a minute; 1 or more, None: no limit.
        tpm: Tokens a minute, prompt and answer together; 1 or more, None: no limit.
        now_ns: Time at which both are full.
        rpd: Requests a day, counted anew at midnight UTC; 1 or more, None: no limit.
        concurrent: Requests under way at once; 1 or more, None: no limit.
        epoch_ns: What `now_ns` is by the calendar, in nanoseconds since 1970.

    Raises:
        ConfigurationError: No limit is given, or one is below 1.
    """

    __slots__ = ("_at_once", "_day", "_epoch_ns", "_requests", "_rpd", "_today", "_tokens", "_under_way")

    def __init__(
        self,
        rpm: int | None,
        tpm: int | None,
        now_ns: int,
        *,
        rpd: int | None = None,
        concurrent: int | None = None,
        epoch_ns: int = 0,
    ) -> None:
        limits = {"rpm": rpm, "tpm": tpm, "rpd": rpd, "concurrent": concurrent}
        for name, value in limits.items():
            if value is not None and not is_whole(value, 1):
                raise ConfigurationError(
                    f"limits: {name} must be a whole number, 1 or more, got {value!r}.\n\n"
                    "To fix: limits(rpm=600, tpm=400_000)"
                )
        if not any(limits.values()):
            raise ConfigurationError(
                "limits: none of rpm, tpm, rpd and concurrent is given.\n\nTo fix: limits(rpm=600, tpm=400_000)"
            )
        self._rpd, self._at_once = rpd, concurrent
        self._today = self._under_way = 0
        self._epoch_ns = epoch_ns - now_ns
        self._day = epoch_ns // DAY_NS
        self._requests = None if rpm is None else TokenBucket(rpm, now_ns)
        self._tokens = None if tpm is None else TokenBucket(tpm, now_ns)

    def admit(self, tokens: int, now_ns: int) -> Refusal | None:
        """Take one request and its tokens, or say why not; a refused request takes nothing."""
        requests, bucket = self._requests, self._tokens
        if self._at_once is not None and self._under_way >= self._at_once:
            return Refusal("concurrent", None)
        if self._rpd is not None and self._left_today(now_ns) <= 0:
            return Refusal("daily", self._until_midnight_ns(now_ns))
        if requests is not None and (wait := requests.wait_ns(1, now_ns)):
            return Refusal("requests", wait)
        if bucket is not None and (wait := bucket.wait_ns(tokens, now_ns)):
            return Refusal("tokens", None if tokens > bucket.per_minute else wait)
        if requests is not None:
            requests.take(1)
        if bucket is not None:
            bucket.take(tokens)
        self._today += 1
        self._under_way += 1
        return None

    def leave(self) -> None:
        """Note that a request that was admitted is over."""
        self._under_way -= 1

    def _left_today(self, now_ns: int) -> int:
        day = (now_ns + self._epoch_ns) // DAY_NS
        if day != self._day:
            self._day, self._today = day, 0
        return (self._rpd or 0) - self._today

    def _until_midnight_ns(self, now_ns: int) -> int:
        return DAY_NS - (now_ns + self._epoch_ns) % DAY_NS

    def settle(self, tokens: int) -> None:
        """Charge tokens that were not known at admission; a negative number gives back."""
        if self._tokens is not None:
            self._tokens.take(tokens)

    def state(self, now_ns: int) -> RateLimits:
        """Return both limits as the provider's headers tell of them."""
        requests, tokens = self._requests, self._tokens
        told = None if requests is None else _state(requests, now_ns)
        if told is None and self._rpd is not None:
            told = LimitState(self._rpd, max(0, self._left_today(now_ns)), self._until_midnight_ns(now_ns) / 1e9)
        return RateLimits(
            requests=told,
            tokens=None if tokens is None else _state(tokens, now_ns),
        )


def _state(bucket: TokenBucket, now_ns: int) -> LimitState:
    return LimitState(bucket.per_minute, bucket.left(now_ns), bucket.full_in_ns(now_ns) / 1e9)
