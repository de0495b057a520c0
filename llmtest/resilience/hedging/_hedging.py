"""When a second request is sent beside one that takes long."""

from __future__ import annotations

import math
import threading
from bisect import bisect_left, insort
from collections import deque
from dataclasses import dataclass
from typing import Literal

from llmtest.errors import ConfigurationError
from llmtest.types import is_whole
from llmtest.types._spelling import settings_tell_near_arguments

__all__ = ["HedgingConfig", "Latencies"]

NS = 1_000_000_000


@settings_tell_near_arguments
@dataclass(frozen=True, slots=True, kw_only=True)
class HedgingConfig:
    """Send a request once more while the first is not answered, and take the answer that comes first.

    The other one is cancelled and charged as far as it had come; its attempt is tagged `hedge` if it was the one that
    was sent beside. Calls that may have side effects are never sent twice: those that declare tools or bring tool
    results, unless `allow_tools`. Of a stream the first visible piece decides. An error sends nothing: it is the
    business of retry and fallback, and one that they cannot mend ends the call as soon as no request is under way.

    Args:
        delay: Seconds after which a second request is sent, and after which a third one follows; more than 0.
        percentile: The same as a share of the answers seen so far, in percent; more than 0 and less than 100. At 95,
            one of twenty calls is sent again. Nothing is, until `min_samples` answers have been seen.
        max_hedges: Most requests beside the first; 1 or more.
        to: Where they go: to the `same` provider as the first, or to the `next` one of the chain.
        allow_tools: Whether calls that declare tools or bring tool results are sent twice as well.
        samples: How many answers the percentile looks back at; 10 or more.
        min_samples: How many there have to be; from 1 to `samples`.

    Raises:
        ConfigurationError: Neither or both of `delay` and `percentile`, or a number outside its range.

    Example:
        >>> HedgingConfig(delay=2.5).max_hedges
        1
    """

    delay: float | None = None
    percentile: float | None = None
    max_hedges: int = 1
    to: Literal["same", "next"] = "same"
    allow_tools: bool = False
    samples: int = 100
    min_samples: int = 20

    def __post_init__(self) -> None:
        if (self.delay is None) is (self.percentile is None):
            said = "neither" if self.delay is None else "both"
            raise ConfigurationError(
                f"hedging takes `delay` or `percentile`, got {said} of them.\nTo fix: HedgingConfig(delay=2.0)"
            )
        if self.delay is not None and not (0 < self.delay < math.inf):
            raise ConfigurationError(f"hedging: delay must be more than 0 seconds, got {self.delay}")
        if self.percentile is not None and not 0 < self.percentile < 100:
            raise ConfigurationError(
                f"hedging: percentile must be more than 0 and less than 100, got {self.percentile}"
            )
        if self.to not in {"same", "next"}:
            raise ConfigurationError(f"hedging: to is `same` or `next`, got `{self.to}`")
        for name, least in (("max_hedges", 1), ("samples", 10), ("min_samples", 1)):
            if not is_whole(getattr(self, name), least):
                raise ConfigurationError(
                    f"hedging: {name} must be a whole number, {least} or more, got {getattr(self, name)!r}"
                )
        if self.min_samples > self.samples:
            raise ConfigurationError(
                f"hedging: min_samples ({self.min_samples}) is more than samples ({self.samples}), so that a second "
                "request would never be sent.\nTo fix: raise `samples`, or lower `min_samples`"
            )


class Latencies:
    """How long the last answers took, in order.

    Args:
        size: How many are kept.
    """

    __slots__ = ("_lock", "_recent", "_sorted")

    def __init__(self, size: int) -> None:
        self._recent: deque[int] = deque(maxlen=size)
        self._sorted: list[int] = []
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._recent)

    def add(self, ns: int) -> None:
        """Add one; the oldest is forgotten where there are enough."""
        with self._lock:
            if len(self._recent) == self._recent.maxlen:
                del self._sorted[bisect_left(self._sorted, self._recent[0])]
            self._recent.append(ns)
            insort(self._sorted, ns)

    def percentile(self, percent: float) -> int:
        """Return the least time within which so many percent of the answers came (nearest rank).

        Args:
            percent: More than 0 and less than 100; there is one answer at least.
        """
        with self._lock:
            rank = math.ceil(len(self._sorted) * percent / 100)
            return self._sorted[max(rank, 1) - 1]
