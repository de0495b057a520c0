"""Quotas: token buckets in whole numbers, whose `Retry-After` is the true wait."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from llmtest.clock import TokenBucket
from llmtest.errors import ConfigurationError
from llmtest.types import is_whole
from llmtest.wire import LimitState, RateLimits

__all__ = ["Quota", "Refusal"]


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
            requests=None if requests is None else _state(requests, now_ns),
            tokens=None if tokens is None else _state(tokens, now_ns),
        )


def _state(bucket: TokenBucket, now_ns: int) -> LimitState:
    return LimitState(bucket.per_minute, bucket.left(now_ns), bucket.full_in_ns(now_ns) / 1e9)
