"""What a limiter remembers of its keys; in memory here, and behind a protocol, so that it may be elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from llmtest.clock import Turn
from llmtest.events import LimitKind, LimitRefusal
from llmtest.resilience.limiting._limits import RateLimitConfig
from llmtest.resilience.limiting._window import Entry, Told, Window

__all__ = ["Admission", "Asking", "Ended", "LimiterStore", "MemoryLimiterStore"]


@dataclass(slots=True, eq=False)
class Asking:
    """A request that asks for a permit, and is told apart from others by its identity, or by `id` in other processes.

    Args:
        key: Whose limits it falls under.
        config: The limits.
        prompt: Tokens of its prompt.
        tokens: Tokens that it is counted as.
        latest_ns: When it has to go at the latest; None: at any time.
        latest_cause: What says so.
        wake: Has it ask again, in this process.
        id: What a store that processes share calls it; empty until such a store has named it.
        shift_ns: What lies between the caller's monotonic clock and the time that its store is told.
    """

    key: str
    config: RateLimitConfig
    prompt: int
    tokens: int
    latest_ns: int | None
    latest_cause: LimitRefusal
    wake: Callable[[], None]
    id: str = ""
    shift_ns: int = 0


@dataclass(frozen=True, slots=True)
class Admission:
    """What became of an `acquire`.

    Args:
        is_granted: Whether the request may go now.
        limit: What stood in its way.
        refusal: Why it need not wait; None: it waits, or may go.
        ready_ns: When it could go, as far as is known.
        look_ns: When it has to ask again, if nothing wakes it before; None: at its latest time.
        poll_ns: When it should ask again nevertheless, because what would let it go may happen in another process;
            None: it is woken then.
    """

    is_granted: bool
    limit: LimitKind = "queue"
    refusal: LimitRefusal | None = None
    ready_ns: int | None = None
    look_ns: int | None = None
    poll_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """How a request ended, for `release`.

    Args:
        is_sent: Whether it was sent at all; what was not is given back whole.
        tokens: Tokens that were billed; None: as it was counted.
        told: What the provider told of its limits with the answer, by `requests`, `tokens`, `input_tokens` and
            `output_tokens`: how much there is, how much is left, and in how many nanoseconds all is there again.
        told_ns: When it did.
        pause_ns: For how long it asked to send nothing; None: it did not.
    """

    is_sent: bool
    tokens: int | None = None
    told: Mapping[str, tuple[int, int, int]] = field(default_factory=dict)
    told_ns: int = 0
    pause_ns: int | None = None


class LimiterStore(Protocol):
    """What is known of every key. Each method is one atomic step, whoever else asks at the same time.

    Time comes in as an argument, in nanoseconds: of the caller's monotonic clock, or of its wall time where the store
    has an attribute `is_shared` that is true, because other processes use it too; then every time of an `Asking`, an
    `Ended` and an `Admission` is that of the wall as well. A store on a server may have an `acquire_async` beside
    `acquire`, which an event loop awaits instead.
    """

    def acquire(self, asking: Asking, now_ns: int) -> Admission:
        """Let a request go, let it wait in the queue of its key, or refuse it; one that waits asks again.

        Args:
            asking: The request.
            now_ns: The time now.
        """
        ...

    def release(self, asking: Asking, ended: Ended, now_ns: int) -> None:
        """Take back what a request was granted, or its place in the queue.

        Args:
            asking: The request.
            ended: How it ended.
            now_ns: The time now.
        """
        ...


class _Key:
    """What is known of one key."""

    __slots__ = ("closed_ns", "now_ns", "queue", "requests", "running", "tokens", "told")

    def __init__(self) -> None:
        self.queue: dict[Asking, None] = {}
        self.running: dict[Asking, tuple[Entry, Entry]] = {}
        self.requests = Window()
        self.tokens = Window()
        self.told: dict[str, Told] = {}
        self.closed_ns = 0
        self.now_ns = 0

    def tell_time(self, now_ns: int) -> None:
        """Note the time; where it has gone back, another clock is in use, and what was taken by the old one is over."""
        if now_ns < self.now_ns:
            self.requests, self.tokens, self.told, self.closed_ns = Window(), Window(), {}, 0
            # What was taken by the old clock is not in the new windows.
            for request, tokens in self.running.values():
                request.is_over = tokens.is_over = True
        self.now_ns = now_ns

    def ready(self, asking: Asking, now_ns: int) -> tuple[int, LimitKind]:
        """Return when a request could go as far as the time tells, after all that wait before it, and what says so."""
        config = asking.config
        before = []
        for other in self.queue:
            if other is asking:
                break
            before.append(other)
        found: list[tuple[int, LimitKind]] = [(now_ns, "queue"), (self.closed_ns, "retry_after")]
        if config.rpm is not None:
            ones = [1] * (len(before) + 1)
            found.append((self.requests.ready_ns(ones, config.rpm, now_ns), "rpm"))
        if config.tpm is not None:
            amounts = [min(other.tokens, config.tpm) for other in (*before, asking)]
            found.append((self.tokens.ready_ns(amounts, config.tpm, now_ns), "tpm"))
        for kind, told in self.told.items():
            amount = sum(_amount(kind, other) for other in (*before, asking))
            limit: LimitKind = "rpm" if kind == "requests" else "tpm"
            found.append((told.ready_ns(amount, now_ns), limit))
        return max(found, key=_when)

    def grant(self, asking: Asking, now_ns: int) -> None:
        self.queue.pop(asking, None)
        self.running[asking] = (self.requests.take(1, now_ns), self.tokens.take(asking.tokens, now_ns))
        for kind, told in self.told.items():
            told.take(_amount(kind, asking))

    def learn(self, ended: Ended, now_ns: int) -> None:
        for kind, (limit, remaining, reset_ns) in ended.told.items():
            known = self.told.get(kind)
            if limit < 1 or (known is not None and known.at_ns > ended.told_ns):
                continue
            self.told[kind] = told = Told(limit, remaining, reset_ns, ended.told_ns)
            for asking, (request, _) in self.running.items():
                if request.at_ns > ended.told_ns:
                    told.take(_amount(kind, asking))
        if ended.pause_ns is not None:
            self.closed_ns = max(self.closed_ns, now_ns + ended.pause_ns)

    def wake(self) -> None:
        """Have the first of the queue look again."""
        first = next(iter(self.queue), None)
        if first is not None:
            first.wake()


def _when(found: tuple[int, LimitKind]) -> int:
    return found[0]


def _amount(kind: str, asking: Asking) -> int:
    """Return what a request takes of one of the limits that providers tell of."""
    if kind == "requests":
        return 1
    if kind == "input_tokens":
        return asking.prompt
    return asking.tokens - asking.prompt if kind == "output_tokens" else asking.tokens


class MemoryLimiterStore:
    """A store in the memory of one process; threads and event loops may share it."""

    def __init__(self) -> None:
        self._keys: dict[str, _Key] = {}
        self._turn = Turn()

    def acquire(self, asking: Asking, now_ns: int) -> Admission:
        """Let a request go, let it wait in the queue of its key, or refuse it."""
        with self._turn:
            key = self._key(asking.key)
            key.tell_time(now_ns)
            admission = self._admit(key, asking, now_ns)
            if admission.is_granted or admission.refusal is not None:
                key.queue.pop(asking, None)
                # Whoever is first now did not know it yet.
                key.wake()
            else:
                key.queue.setdefault(asking)
        return admission

    def _key(self, name: str) -> _Key:
        found = self._keys.get(name)
        if found is None:
            found = self._keys[name] = _Key()
        return found

    def _admit(self, key: _Key, asking: Asking, now_ns: int) -> Admission:
        config = asking.config
        if config.tpm is not None and asking.tokens > config.tpm:
            return Admission(False, "tpm", "too_large")
        ready_ns, limit = key.ready(asking, now_ns)
        is_first = next(iter(key.queue), asking) is asking
        has_slot = config.concurrency is None or len(key.running) < config.concurrency
        if is_first and has_slot and ready_ns <= now_ns:
            key.grant(asking, now_ns)
            return Admission(True, limit)
        if ready_ns <= now_ns:
            limit = "queue" if has_slot else "concurrency"
        latest_ns = asking.latest_ns
        known_ns = ready_ns if ready_ns > now_ns else None
        if latest_ns is not None and (ready_ns > latest_ns or now_ns >= latest_ns):
            return Admission(False, limit, asking.latest_cause, known_ns)
        if config.max_queue is not None and asking not in key.queue and len(key.queue) >= config.max_queue:
            return Admission(False, limit, "queue_full", known_ns)
        return Admission(False, limit, None, known_ns, ready_ns if is_first and has_slot else None)

    def release(self, asking: Asking, ended: Ended, now_ns: int) -> None:
        """Take back what a request was granted, or its place in the queue."""
        with self._turn as is_free:
            if is_free:
                self._release(asking, ended, now_ns)
            else:  # The collector has closed a stream in the middle of another step.
                self._turn.later(partial(self._release, asking, ended, now_ns))

    def _release(self, asking: Asking, ended: Ended, now_ns: int) -> None:
        key = self._key(asking.key)
        key.tell_time(now_ns)
        key.queue.pop(asking, None)
        taken = key.running.pop(asking, None)
        if taken is not None:
            requests, tokens = taken
            if not ended.is_sent:
                key.requests.correct(requests, 0)
            if not ended.is_sent or ended.tokens is not None:
                key.tokens.correct(tokens, ended.tokens if ended.is_sent and ended.tokens is not None else 0)
        key.learn(ended, now_ns)
        key.wake()

    def running(self, key: str) -> int:
        """Return how many requests of a key are under way."""
        with self._turn:
            return len(self._keys[key].running) if key in self._keys else 0

    def waiting(self, key: str) -> int:
        """Return how many wait in the queue of a key."""
        with self._turn:
            return len(self._keys[key].queue) if key in self._keys else 0
