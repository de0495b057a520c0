"""Windows of calls: how many of the last ones failed or were slow."""

from __future__ import annotations

from collections import deque
from typing import Protocol

from llmtest.resilience.breaker._breaker_config import CircuitBreakerConfig

__all__ = ["CallWindow", "TimeWindow", "Window", "window_of"]

NS = 1_000_000_000
SLICES = 10
"""Parts of a window in seconds; a call counts until its part has left the window."""
LEAST_RATE = 0.05
"""The failure rate that is expected at least, so that one failure after a long quiet time is no anomaly."""


class Window(Protocol):
    """The last calls, however they are bounded."""

    calls: int
    failures: int
    slow: int

    def add(self, now_ns: int, failed: bool, slow: bool) -> None:
        """Take in a call that has ended, and forget those that have left the window."""
        ...

    def clear(self) -> None:
        """Forget every call."""
        ...


class CallWindow:
    """The last `size` calls.

    Args:
        size: How many it holds.
        recent: How many of them are compared with the others.
    """

    __slots__ = ("_calls", "_recent", "calls", "failures", "recent_failures", "size", "slow")

    def __init__(self, size: int, recent: int) -> None:
        self.size = size
        self._recent = recent
        self._calls: deque[tuple[bool, bool]] = deque()
        self.calls = self.failures = self.slow = self.recent_failures = 0

    def add(self, now_ns: int, failed: bool, slow: bool) -> None:  # noqa: ARG002 - windows in seconds need the time
        """Take in a call, and forget the oldest where it is full."""
        calls = self._calls
        if len(calls) == self.size:
            had_failed, was_slow = calls.popleft()
            self.failures -= had_failed
            self.slow -= was_slow
            if self._recent == self.size:
                self.recent_failures -= had_failed
        if self._recent < self.size and len(calls) >= self._recent:
            self.recent_failures -= calls[-self._recent][0]
        calls.append((failed, slow))
        self.calls = len(calls)
        self.failures += failed
        self.recent_failures += failed
        self.slow += slow

    def clear(self) -> None:
        """Forget every call."""
        self._calls.clear()
        self.calls = self.failures = self.slow = self.recent_failures = 0

    def z_score(self) -> float:
        """Return how many standard deviations the recent failures lie above what the calls before them let expect.

        Of calls before them that are few, less is expected to be known: one failure and one success are added to them.
        """
        recent = min(self._recent, self.calls)
        before, failed_before = self.calls - recent, self.failures - self.recent_failures
        rate = max((failed_before + 1) / (before + 2), LEAST_RATE)
        return float((self.recent_failures - recent * rate) / (recent * rate * (1 - rate)) ** 0.5)


class TimeWindow:
    """The calls of the last `seconds`, in ten parts.

    Args:
        seconds: How long it spans.
    """

    __slots__ = ("_slice_ns", "_slices", "calls", "failures", "slow")

    def __init__(self, seconds: float) -> None:
        self._slice_ns = max(1, round(seconds * NS / SLICES))
        self._slices: deque[list[int]] = deque()
        """Number of the part, and the calls, failures and slow calls in it; the newest last."""
        self.calls = self.failures = self.slow = 0

    def add(self, now_ns: int, failed: bool, slow: bool) -> None:
        """Take in a call, and forget the parts that have left the window."""
        number = now_ns // self._slice_ns
        slices = self._slices
        while slices and slices[0][0] <= number - SLICES:
            _, calls, failures, was_slow = slices.popleft()
            self.calls -= calls
            self.failures -= failures
            self.slow -= was_slow
        if not slices or slices[-1][0] < number:
            slices.append([number, 0, 0, 0])
        newest = slices[-1]
        newest[1] += 1
        newest[2] += failed
        newest[3] += slow
        self.calls += 1
        self.failures += failed
        self.slow += slow

    def clear(self) -> None:
        """Forget every call."""
        self._slices.clear()
        self.calls = self.failures = self.slow = 0


def window_of(config: CircuitBreakerConfig) -> CallWindow | TimeWindow | None:
    """Return the window that a configuration looks at; None where failures in a row count."""
    if config.window_seconds is not None:
        return TimeWindow(config.window_seconds)
    if config.window_calls is None or config.minimum_calls is None:
        return None
    return CallWindow(config.window_calls, config.minimum_calls)
