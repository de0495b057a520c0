"""Percentiles of a million numbers in eight bytes each."""

from __future__ import annotations

import math
from array import array

__all__ = ["Sample"]


class Sample:
    """Times, in seconds, kept exactly and compactly."""

    __slots__ = ("_sorted", "_values", "add")

    def __init__(self) -> None:
        self._values = array("d")
        self._sorted: list[float] | None = None
        self.add = self._values.append
        """Record one time."""

    def quantile(self, share: float) -> float | None:
        """Return the smallest time that is not passed by `share` of all; None without any."""
        if not self._values:
            return None
        if self._sorted is None or len(self._sorted) != len(self._values):
            self._sorted = sorted(self._values)
        return self._sorted[max(0, math.ceil(share * len(self._sorted)) - 1)]

    def measure(self, name: str) -> float | None:
        """Return `p50`, `p95`, `p99` or `max`."""
        return self.quantile({"p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}[name])

    def summary(self) -> dict[str, float | None]:
        """Return the three percentiles that reports show, to the microsecond."""
        found = {name: self.measure(name) for name in ("p50", "p95", "p99")}
        return {name: None if value is None else round(value, 6) for name, value in found.items()}
