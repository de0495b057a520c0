"""So many in any minute, and what a provider says is left of its own limit; in whole nanoseconds."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from llmtest.clock import TokenBucket

__all__ = ["MINUTE_NS", "Entry", "Told", "Window"]

MINUTE_NS = 60_000_000_000


class Entry:
    """What was taken at a time.

    Args:
        at_ns: When.
        amount: How much; it may turn out to be another.
    """

    __slots__ = ("amount", "at_ns", "is_over")

    def __init__(self, at_ns: int, amount: int) -> None:
        self.at_ns = at_ns
        self.amount = amount
        self.is_over = False


class Window:
    """What was taken in the last minute.

    A bucket that refills lets twice a minute's worth through in the minute after it was full. Here no minute has more
    than the limit, whenever it begins; whatever goes by this goes by a bucket of the same size too.
    """

    __slots__ = ("_entries", "_total")

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque()
        self._total = 0
        """The sum of the entries, so that nobody has to add thousands of them up for each request."""

    def take(self, amount: int, now_ns: int) -> Entry:
        """Take so much now; what it turns out to be is told by `correct`."""
        self.taken(now_ns)
        entry = Entry(now_ns, amount)
        self._entries.append(entry)
        self._total += amount
        return entry

    def correct(self, entry: Entry, amount: int) -> None:
        """Let an entry be another amount; one that is older than a minute does not matter any more."""
        if not entry.is_over:
            self._total += amount - entry.amount
        entry.amount = amount

    def taken(self, now_ns: int) -> int:
        """Return what was taken in the minute that ends now."""
        entries = self._entries
        while entries and entries[0].at_ns <= now_ns - MINUTE_NS:
            oldest = entries.popleft()
            oldest.is_over = True
            self._total -= oldest.amount
        return self._total

    def ready_ns(self, amounts: Sequence[int], limit: int, now_ns: int) -> int:
        """Return when the last of these amounts can be taken, one after the other; none is above the limit.

        Args:
            amounts: What is taken, in order.
            limit: How much a minute.
            now_ns: The time now.
        """
        total = self.taken(now_ns)
        if total + sum(amounts) <= limit:
            return now_ns
        past = iter(self._entries)
        planned: deque[Entry] = deque()
        at_ns = now_ns
        for amount in amounts:
            while total + amount > limit:
                oldest = next(past, None) or planned.popleft()
                total -= oldest.amount
                at_ns = max(at_ns, oldest.at_ns + MINUTE_NS)
            planned.append(Entry(at_ns, amount))
            total += amount
        return at_ns


class Told:
    """What a provider said is left of its own limit, and that it grows evenly until all of it is there again.

    Args:
        limit: All of it; 1 or more.
        remaining: What is left.
        reset_ns: How long until all of it is there; 0 where the provider does not say, then a minute for all of it.
        at_ns: When it said so.
    """

    __slots__ = ("_bucket", "at_ns", "limit")

    def __init__(self, limit: int, remaining: int, reset_ns: int, at_ns: int) -> None:
        self.limit = limit
        self.at_ns = at_ns
        missing = limit - min(remaining, limit)
        period_ns = limit * reset_ns // missing if missing and reset_ns else MINUTE_NS
        self._bucket = TokenBucket(limit, at_ns, period_ns=max(period_ns, 1))
        self._bucket.take(missing)

    def ready_ns(self, amount: int, now_ns: int) -> int:
        """Return when so much can be taken; what is more than there ever is, when all is there."""
        return now_ns + self._bucket.wait_ns(min(amount, self.limit), now_ns)

    def take(self, amount: int) -> None:
        """Take so much."""
        self._bucket.take(amount)
