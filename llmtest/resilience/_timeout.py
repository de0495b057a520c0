"""How long to wait: limits of one attempt, and the deadline of the whole call."""

from __future__ import annotations

from dataclasses import dataclass, fields

from llmtest.errors import ConfigurationError
from llmtest.types import Timeouts

__all__ = ["TimeoutConfig"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeoutConfig:
    """Limits of each attempt, and one deadline over all of them.

    The provider keeps the limits of an attempt. The deadline is the chain's: it spans every retry, every wait between
    them and every fallback, no wait goes beyond it, and no attempt begins that it leaves no time for.

    Args:
        connect: Seconds until the connection stands; None = no limit, as for the others.
        first_token: Seconds until the first piece of the answer; for an answer that is no stream, until its headers.
        read: Longest silence between two pieces, in seconds.
        total: Seconds for one attempt.
        deadline: Seconds for the whole call.
    """

    connect: float | None = 10.0
    first_token: float | None = None
    read: float | None = 60.0
    total: float | None = 120.0
    deadline: float | None = None

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if value is not None and not value > 0:
                raise ConfigurationError(f"{each.name} must be more than 0 seconds, or None, got {value}")

    def for_attempt(self) -> Timeouts:
        """Return the limits of one attempt."""
        return Timeouts(self.connect, self.first_token, self.read, self.total)


def stricter(first: Timeouts, second: Timeouts) -> Timeouts:
    """Return the shorter of each limit."""
    return Timeouts(
        shorter(first.connect, second.connect),
        shorter(first.first_token, second.first_token),
        shorter(first.read, second.read),
        shorter(first.total, second.total),
    )


def shorter(first: float | None, second: float | None) -> float | None:
    """Return the shorter of two limits, of which either may be none."""
    if first is None or second is None:
        return second if first is None else first
    return min(first, second)
