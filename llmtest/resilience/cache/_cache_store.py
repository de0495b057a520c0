"""Where answers are kept: what a store has to do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

from llmtest.resilience.cache._cached_answer import CachedAnswer

__all__ = ["Absence", "CacheStore", "Room", "Similar", "WaitingCacheStore", "Which", "matches"]

Absence = Literal["missing", "expired"]
"""Why there is no answer."""


class Room(NamedTuple):
    """How much room there is."""

    most: int
    """Most answers."""
    surplus: int
    """How many go at once when there are more."""


class Similar(NamedTuple):
    """An answer to an alike request."""

    answer: CachedAnswer
    similarity: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Which:
    """Which answers are meant; what is None does not matter.

    Args:
        key: The one with this key.
        model: Those of a model, as it was asked for.
        provider: Those that a provider gave.
        tenant: Those of one tenant.
        labels: Those whose request had all of these labels.
        until_ns: Those that were kept at this time or before.
    """

    key: str | None = None
    model: str | None = None
    provider: str | None = None
    tenant: str | None = None
    labels: tuple[tuple[str, str], ...] = ()
    until_ns: int | None = None


def matches(answer: CachedAnswer, which: Which) -> bool:
    """Tell whether an answer is meant."""
    return (
        which.key in (None, answer.key)
        and which.model in (None, answer.model)
        and which.provider in (None, answer.provider)
        and which.tenant in (None, answer.tenant)
        and all(answer.labels.get(name) == value for name, value in which.labels)
        and (which.until_ns is None or answer.stored_ns <= which.until_ns)
    )


class CacheStore(Protocol):
    """Somewhere to keep answers, safe to share between threads.

    Each of the first three is one decision, and happens as a whole: another process sees all of it or nothing. So a
    store on another machine answers each in one round trip, with one script that runs there:

    - `find`: read the answer; if it is live, let it be the one that was used last; if not, forget it.
    - `nearest`: among the live answers of one space, the one with the largest cosine that is at least the threshold;
      let it be the one that was used last.
    - `put`: write the answer; if there are now more than `room.most`, forget what has expired, and if that is not
      enough, `room.surplus` of those that were used least recently, but never the one that was written.

    Time comes in as an argument, in nanoseconds: of the calling thread's monotonic clock, or of wall time where
    `is_shared` says that other processes see the answers. A store keeps `stored_ns` and `ttl_ns` as they are given
    (`CachedAnswer.is_live` is the rule), and may forget an expired answer at any time. It must give back answers that
    equal those it was given; what it cannot read any more is missing.

    Whatever goes wrong is raised, as any `Exception`: a call is then answered as if nothing were kept, and the trace
    has a `CacheFailed`. The methods block; a store that waits for a network is a `WaitingCacheStore` as well, which an
    event loop awaits instead.
    """

    is_shared: bool
    """Whether other processes see the answers, so that their age is told by wall time."""

    def find(self, key: str, now_ns: int, needs_events: bool) -> CachedAnswer | Absence:
        """Return the live answer with a key, which is then the one that was used last.

        Args:
            key: The key.
            now_ns: The time.
            needs_events: Whether an answer that did not come in pieces is as good as none; it is left as it is.
        """
        ...

    def nearest(
        self, space: str, vector: Sequence[float], threshold: float, now_ns: int, needs_events: bool
    ) -> Similar | None:
        """Return the live answer of a space whose vector is most alike, which is then the one that was used last.

        Args:
            space: What must be equal.
            vector: A vector of length 1.
            threshold: The least cosine.
            now_ns: The time.
            needs_events: Whether only answers that came in pieces are meant.
        """
        ...

    def put(self, answer: CachedAnswer, room: Room, now_ns: int) -> tuple[int, int]:
        """Keep an answer, in place of another one with its key.

        Returns:
            How many others were forgotten for want of room, and how many because they had expired.
        """
        ...

    def remove(self, which: Which, where: Callable[[CachedAnswer], bool] | None = None) -> int:
        """Forget answers, by hand; return how many.

        Args:
            which: Which of them.
            where: What must be true of them as well.
        """
        ...

    def size(self) -> int:
        """Return how many answers are kept; expired ones that nobody has asked for since may be among them."""
        ...

    def close(self) -> None:
        """Let go of connections and files; the next call opens them again."""
        ...


class WaitingCacheStore(CacheStore, Protocol):
    """A store that waits for a network: on an event loop these are awaited instead of the methods that block."""

    async def find_async(self, key: str, now_ns: int, needs_events: bool) -> CachedAnswer | Absence:
        """Do what `find` does."""
        ...

    async def nearest_async(
        self, space: str, vector: Sequence[float], threshold: float, now_ns: int, needs_events: bool
    ) -> Similar | None:
        """Do what `nearest` does."""
        ...

    async def put_async(self, answer: CachedAnswer, room: Room, now_ns: int) -> tuple[int, int]:
        """Do what `put` does."""
        ...
