"""How long a simulated provider takes: distributions, and the model built from them.

Every draw is a function of the seed and of who is asking (design D9), so that one call more shifts no other call's
latency. No generator is shared.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Protocol

from llmtest import clock
from llmtest.errors import ConfigurationError
from llmtest.types import is_number

__all__ = ["Constant", "Distribution", "Gamma", "LatencyModel", "Lognormal", "Seconds", "Uniform", "as_latency"]

_NORMAL = NormalDist()
_P99 = _NORMAL.inv_cdf(0.99)
_TINY = 2.0**-54


class Distribution(Protocol):
    """A number drawn anew for every answer."""

    def draw(self, seed: int, *key: object) -> float:
        """Return the number that belongs to this seed and key."""
        ...


Seconds = float | Distribution
"""Seconds, or a distribution of them."""


def _require(valid: bool, text: str, fix: str) -> None:
    if not valid:
        raise ConfigurationError(f"{text}.\n\nTo fix: {fix}")


@dataclass(frozen=True, slots=True)
class Constant:
    """Always the same.

    Args:
        value: 0 or more.
    """

    value: float

    def __post_init__(self) -> None:
        _require(
            is_number(self.value),
            f"a constant latency must be seconds, 0 or more, got {self.value!r}",
            "latency(0.4)",
        )

    def draw(self, seed: int, *key: object) -> float:  # noqa: ARG002 - a distribution like the others
        """Return the value."""
        return self.value


@dataclass(frozen=True, slots=True)
class Uniform:
    """Anything between two numbers, all equally likely.

    Args:
        low: 0 or more.
        high: `low` or more.
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        _require(
            is_number(self.low) and is_number(self.high, self.low),
            f"Uniform needs 0 <= low <= high, got low={self.low!r}, high={self.high!r}",
            "Uniform(low=0.2, high=0.6)",
        )

    def draw(self, seed: int, *key: object) -> float:
        """Return a number from `low` up to `high`."""
        return self.low + (self.high - self.low) * clock.uniform(seed, *key)


@dataclass(frozen=True, slots=True)
class Lognormal:
    """Mostly near the median, with a long tail: what real latencies look like.

    Args:
        median: Half of all draws are below it; above 0.
        p99: 99 % of all draws are below it; `median` or more.
    """

    median: float
    p99: float

    def __post_init__(self) -> None:
        _require(
            is_number(self.median, _TINY) and is_number(self.p99, self.median),
            f"Lognormal needs 0 < median <= p99, got median={self.median!r}, p99={self.p99!r}",
            "Lognormal(median=0.4, p99=2.0)",
        )

    def draw(self, seed: int, *key: object) -> float:
        """Return a number above 0."""
        sigma = math.log(self.p99 / self.median) / _P99
        return self.median * math.exp(sigma * _NORMAL.inv_cdf(max(clock.uniform(seed, *key), _TINY)))


@dataclass(frozen=True, slots=True)
class Gamma:
    """A mean and how much draws scatter around it.

    Args:
        mean: Above 0.
        cv: Standard deviation divided by the mean; above 0. 1 is the exponential distribution.
    """

    mean: float
    cv: float = 1.0

    def __post_init__(self) -> None:
        _require(
            is_number(self.mean, _TINY) and is_number(self.cv, _TINY),
            f"Gamma needs mean > 0 and cv > 0, got mean={self.mean!r}, cv={self.cv!r}",
            "Gamma(mean=0.5, cv=1.0)",
        )

    def draw(self, seed: int, *key: object) -> float:
        """Return a number above 0."""
        shape = 1 / (self.cv * self.cv)
        return clock.stream(seed, *key).gammavariate(shape, self.mean / shape)


def _as_distribution(value: Seconds) -> Distribution:
    return Constant(value) if isinstance(value, int | float) else value


@dataclass(frozen=True, slots=True)
class LatencyModel:
    """When an answer begins and when it ends.

    Args:
        total: Seconds until a whole answer, or until all of a stream.
        ttft: Seconds until the first token.
        tokens_per_second: How fast the rest follows; None: at once.
    """

    total: Distribution | None = None
    ttft: Distribution | None = None
    tokens_per_second: Distribution | None = None

    def draw_ns(self, output_tokens: int, seed: int, *key: object) -> tuple[int, int]:
        """Return nanoseconds until the answer begins, and from there to its end."""
        if self.total is not None:
            return round(self.total.draw(seed, "total", *key) * 1e9), 0
        first = 0 if self.ttft is None else round(self.ttft.draw(seed, "ttft", *key) * 1e9)
        if self.tokens_per_second is None:
            return first, 0
        rate = max(self.tokens_per_second.draw(seed, "rate", *key), 1e-6)
        return first, round(output_tokens / rate * 1e9)


def as_latency(
    total: Seconds | LatencyModel | None = None,
    *,
    ttft: Seconds | None = None,
    tokens_per_second: Seconds | None = None,
) -> LatencyModel:
    """Make a latency model from what a user writes.

    Raises:
        ConfigurationError: Both a total and its parts are given, or nothing is.
    """
    if isinstance(total, LatencyModel):
        return total
    parts = ttft is not None or tokens_per_second is not None
    _require(
        (total is None) == parts,
        "latency takes either the total, or ttft and tokens_per_second",
        "latency(0.4), or latency(ttft=0.4, tokens_per_second=80)",
    )
    if tokens_per_second is not None and isinstance(tokens_per_second, int | float):
        _require(
            is_number(tokens_per_second, _TINY),
            f"tokens_per_second must be above 0, got {tokens_per_second!r}",
            "latency(ttft=0.4, tokens_per_second=80)",
        )
    return LatencyModel(
        None if total is None else _as_distribution(total),
        None if ttft is None else _as_distribution(ttft),
        None if tokens_per_second is None else _as_distribution(tokens_per_second),
    )
