"""What a simulated provider remembers that runs for weeks: its latest requests, within a limit of memory."""

from __future__ import annotations

from collections import deque

from llmtest.simulation.plan._answer import RequestRecord

__all__ = ["RecentRequests"]

MOST_BYTES = 16 * 1024 * 1024
"""Bodies that are kept at most, in bytes; what is decoded of them takes about as much again."""


class RecentRequests(deque[RequestRecord]):
    """The latest requests; the oldest go first, and the last one always stays.

    Args:
        most: How many are kept at most.
    """

    def __init__(self, most: int) -> None:
        super().__init__(maxlen=most)
        self._bytes = 0

    def append(self, record: RequestRecord) -> None:
        """Remember a request, and forget what that leaves no room for."""
        if len(self) == self.maxlen:
            self._bytes -= len(self[0].body)
        super().append(record)
        self._bytes += len(record.body)
        while self._bytes > MOST_BYTES and len(self) > 1:
            self._bytes -= len(self.popleft().body)
