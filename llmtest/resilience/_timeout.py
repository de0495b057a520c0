"""How long to wait: limits of one attempt, and the deadline of the whole call."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import NamedTuple

from llmtest.errors import ConfigurationError
from llmtest.types import Timeouts
from llmtest.types._spelling import settings_tell_near_arguments

__all__ = ["Pace", "TimeoutConfig"]

DEFAULT_WINDOW = 10.0
TOKEN = 4
"""Characters that a token is taken for."""


@settings_tell_near_arguments
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
        min_tokens_per_second: Least tokens a second, more than 0, that a stream has to bring over `throughput_window`
            after its first piece, at four characters a token. Time in which the caller does not read does not count. A
            stream that is slower ends as one that is silent for longer than `read` does.
        min_characters_per_second: The same in characters, instead.
        throughput_window: Seconds that the speed is taken over, more than 0; 10 by default.

    Raises:
        ConfigurationError: A value is out of its range, or two settings contradict each other.
    """

    connect: float | None = 10.0
    first_token: float | None = None
    read: float | None = 60.0
    total: float | None = 120.0
    deadline: float | None = None
    min_tokens_per_second: float | None = None
    min_characters_per_second: float | None = None
    throughput_window: float | None = None

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if value is not None and not value > 0:
                unit = "" if each.name.endswith("_per_second") else " seconds"
                raise ConfigurationError(f"{each.name} must be more than 0{unit}, or None, got {value}")
        tokens, characters = self.min_tokens_per_second, self.min_characters_per_second
        if tokens is not None and characters is not None:
            raise ConfigurationError(
                f"min_tokens_per_second={tokens} and min_characters_per_second={characters} both say how fast a stream "
                "has to come.\nTo fix: leave one of the two out"
            )
        if self.throughput_window is not None and tokens is None and characters is None:
            raise ConfigurationError(
                f"throughput_window={self.throughput_window} decides nothing without a speed.\n"
                "To fix: add min_tokens_per_second=1, or leave throughput_window out"
            )

    def for_attempt(self) -> Timeouts:
        """Return the limits of one attempt."""
        return Timeouts(self.connect, self.first_token, self.read, self.total)

    def pace(self) -> Pace | None:
        """Return how fast a stream has to come; None where that does not matter."""
        window = self.throughput_window or DEFAULT_WINDOW
        if self.min_tokens_per_second is not None:
            return Pace(self.min_tokens_per_second * TOKEN, window, "tokens", TOKEN)
        if self.min_characters_per_second is not None:
            return Pace(self.min_characters_per_second, window, "characters", 1)
        return None


class Pace(NamedTuple):
    """How fast a stream has to come.

    `characters`: least characters a second. `window`: seconds that they are counted over. `unit` and `per`: what they
    are called, and how many characters that is.
    """

    characters: float
    window: float
    unit: str
    per: int


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
