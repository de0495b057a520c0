"""Answers in the memory of this process."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence

from llmtest.clock import Turn
from llmtest.resilience.cache._cache_store import Absence, Room, Similar, Which, matches
from llmtest.resilience.cache._cached_answer import NEVER_NS, CachedAnswer
from llmtest.resilience.cache._similarity import cosine

__all__ = ["MemoryCacheStore"]


class MemoryCacheStore:
    """Answers in memory, until the process ends. Several caches may share one.

    Example:
        >>> MemoryCacheStore().size()
        0
    """

    is_shared = False

    def __init__(self) -> None:
        self._turn = Turn()
        self._answers: OrderedDict[str, CachedAnswer] = OrderedDict()
        """By key, the one that was used least recently first."""
        self._spaces: dict[str, dict[str, CachedAnswer]] = {}
        self._next_end_ns = NEVER_NS
        """No answer that is kept expires before."""

    def find(self, key: str, now_ns: int, needs_events: bool) -> CachedAnswer | Absence:
        """Return the live answer with a key, which is then the one that was used last."""
        with self._turn:
            answer = self._answers.get(key)
            if answer is None:
                return "missing"
            if not 0 <= now_ns - answer.stored_ns < answer.ttl_ns:
                self._forget(answer)
                return "expired"
            if needs_events and answer.events is None:
                return "missing"
            self._answers.move_to_end(key)
            return answer

    def nearest(
        self, space: str, vector: Sequence[float], threshold: float, now_ns: int, needs_events: bool
    ) -> Similar | None:
        """Return the live answer of a space whose vector is most alike, which is then the one that was used last."""
        with self._turn:
            best: Similar | None = None
            for answer in self._spaces.get(space, {}).values():
                if answer.vector is None or not answer.is_live(now_ns) or (needs_events and answer.events is None):
                    continue
                similarity = cosine(vector, answer.vector)
                if similarity >= threshold and (best is None or similarity > best.similarity):
                    best = Similar(answer, similarity)
            if best is not None:
                self._answers.move_to_end(best.answer.key)
            return best

    def put(self, answer: CachedAnswer, room: Room, now_ns: int) -> tuple[int, int]:
        """Keep an answer; return how many others went for want of room, and how many because they had expired."""
        with self._turn:
            answers = self._answers
            former = answers.get(answer.key)
            if former is not None:
                self._forget(former)
            answers[answer.key] = answer
            if answer.space is not None:
                self._spaces.setdefault(answer.space, {})[answer.key] = answer
            self._next_end_ns = min(self._next_end_ns, answer.stored_ns + answer.ttl_ns)
            if len(answers) <= room.most:
                return 0, 0
            expired = self._forget_expired(now_ns)
            evicted = 0
            if len(answers) > room.most:
                evicted = min(len(answers) - 1, max(room.surplus, len(answers) - room.most))
                for _ in range(evicted):
                    self._forget(next(iter(answers.values())))
            return evicted, expired

    def _forget_expired(self, now_ns: int) -> int:
        # To look at every answer on every store would make a full cache slow; most of the time none can have expired.
        if now_ns < self._next_end_ns:
            return 0
        over = [answer for answer in self._answers.values() if not answer.is_live(now_ns)]
        for answer in over:
            self._forget(answer)
        ends = (answer.stored_ns + answer.ttl_ns for answer in self._answers.values())
        self._next_end_ns = min(ends, default=NEVER_NS)
        return len(over)

    def remove(self, which: Which, where: Callable[[CachedAnswer], bool] | None = None) -> int:
        """Forget answers, by hand; return how many."""
        with self._turn:
            meant = [
                answer
                for answer in tuple(self._answers.values())
                if matches(answer, which) and (where is None or where(answer))
            ]
            for answer in meant:
                self._forget(answer)
            return len(meant)

    def _forget(self, answer: CachedAnswer) -> None:
        self._answers.pop(answer.key, None)
        if answer.space is not None:
            space = self._spaces.get(answer.space, {})
            space.pop(answer.key, None)
            if not space:
                self._spaces.pop(answer.space, None)

    def size(self) -> int:
        """Return how many answers are kept."""
        return len(self._answers)

    def close(self) -> None:
        """Do nothing: there is nothing to let go of."""
