"""Counts of a cache."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CacheStats"]


@dataclass(slots=True)
class CacheStats:
    """Counts of a cache since it was made, of this process alone.

    Args:
        hits: Calls that were answered without a provider.
        misses: Calls that were not.
        stores: Answers that were kept.
        evictions: Answers that went for want of room.
        expired: Answers that were found, or swept up, after their time.
        semantic_hits: Of the hits, those by an alike request's answer.
        joined: Of the hits, those that took the answer of an equal call under way.
        rejected: Answers that were given and may not be kept: refusals, cut off ones, tool calls.
        failures: Times that the store, or what makes vectors, failed.
    """

    hits: int = 0
    misses: int = 0
    stores: int = 0
    evictions: int = 0
    expired: int = 0
    semantic_hits: int = 0
    joined: int = 0
    rejected: int = 0
    failures: int = 0

    @property
    def hit_rate(self) -> float:
        """Hits as a share of all calls that looked; 0 where none did."""
        asked = self.hits + self.misses
        return self.hits / asked if asked else 0.0
