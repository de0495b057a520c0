"""What happened: typed events in one trace, with the clock's timestamps.

Every decision anywhere in the package becomes an event here, and assertions, verdicts, metrics, reports and exports
read the trace and nothing else. Two sides write to it: simulated providers (`RequestReceived`, `RequestAnswered`,
`FaultFired`), which see every client whatever its make, and our own provider layer (calls, attempts, retries,
fallbacks, breakers, budgets), which knows why.

Events are cheap, because an hour of traffic makes a hundred thousand of them: slotted, written once, never changed.
`publish` hands an event to whoever has subscribed, which during a simulation is its trace.
"""

from __future__ import annotations

import hashlib
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, ClassVar, TypeVar

if TYPE_CHECKING:
    from decimal import Decimal

    from llmtest.types import Attempt, Usage

__all__ = [
    "AttemptEnded",
    "BreakerChanged",
    "BudgetRejected",
    "BudgetWarned",
    "CacheHit",
    "CallEnded",
    "CallStarted",
    "CircuitSkipped",
    "Event",
    "FallbackTaken",
    "FaultFired",
    "HarnessErrorRecorded",
    "LiveRequestPassed",
    "LogicalCall",
    "RealIoObserved",
    "RequestAnswered",
    "RequestReceived",
    "RetryScheduled",
    "Trace",
    "begin_call",
    "current_call",
    "publish",
    "subscribed",
]

DIGEST_BATCH = 512
"""Lines that are joined before they are hashed; hashing each line alone costs three times as much."""


@dataclass(slots=True, eq=False, weakref_slot=True)
class LogicalCall:
    """One call as the application sees it: it may take several attempts at several providers.

    Args:
        id: Number within its trace, from 1.
        label: Name given by `llm_sim.call("label")`, or the name of the client's provider.
        explicit: Whether somebody marked it; a test without marks is one implicit call.
    """

    id: int
    label: str
    explicit: bool = True


current_call: ContextVar[LogicalCall | None] = ContextVar("llmtest_current_call", default=None)
"""The logical call that the running code belongs to; None outside any marked call."""


@dataclass(slots=True)
class Event:
    """Something that happened, `at_ns` nanoseconds after the clock's start, in logical call `call` (0 = unmarked)."""

    kind: ClassVar[str] = "event"

    at_ns: int
    call: int

    @property
    def at(self) -> float:
        """Seconds since the clock's start."""
        return self.at_ns / 1e9

    def subject(self) -> str:
        """Whom it concerns: a provider, with its model where one is known."""
        return ""

    def detail(self) -> str:
        """What happened, as stable text: equal runs give equal text."""
        return ""

    def line(self) -> str:
        """The event as one line of the history that `Trace.digest` hashes.

        The events that every call makes write theirs in one piece, which is the same text in half the time.
        """
        return f"{self.at_ns}|{self.call}|{self.kind}|{self.subject()}|{self.detail()}"


def _target(provider: str, model: str | None) -> str:
    return f"{provider}/{model}" if model else provider


@dataclass(slots=True)
class CallStarted(Event):
    """A logical call began."""

    kind: ClassVar[str] = "call"

    label: str

    def subject(self) -> str:
        """The call's label."""
        return self.label

    def line(self) -> str:
        """The event as one line."""
        return f"{self.at_ns}|{self.call}|call|{self.label}|"


@dataclass(slots=True)
class CallEnded(Event):
    """A logical call ended: `outcome` is `ok`, `cancelled`, or the name of the error's class."""

    kind: ClassVar[str] = "call_end"

    label: str
    outcome: str
    provider: str | None
    model: str | None
    start_ns: int
    first_token_ns: int | None = None

    def subject(self) -> str:
        """The call's label."""
        return self.label

    def detail(self) -> str:
        """Outcome, and who served it."""
        return f"{self.outcome} by {_target(self.provider, self.model)}" if self.provider else self.outcome

    def line(self) -> str:
        """The event as one line."""
        provider, model = self.provider, self.model
        by = "" if not provider else f" by {provider}/{model}" if model else f" by {provider}"
        return f"{self.at_ns}|{self.call}|call_end|{self.label}|{self.outcome}{by}"


@dataclass(slots=True)
class RequestReceived(Event):
    """A simulated provider received a request; `exchange` numbers requests within the trace, from 1."""

    kind: ClassVar[str] = "request"

    exchange: int
    provider: str
    model: str | None
    operation: str
    stream: bool

    def subject(self) -> str:
        """Provider and model."""
        return _target(self.provider, self.model)

    def detail(self) -> str:
        """Operation, and whether the answer streams."""
        return f"#{self.exchange} {self.operation}{' stream' if self.stream else ''}"

    def line(self) -> str:
        """The event as one line."""
        model = f"/{self.model}" if self.model else ""
        stream = " stream" if self.stream else ""
        return f"{self.at_ns}|{self.call}|request|{self.provider}{model}|#{self.exchange} {self.operation}{stream}"


@dataclass(slots=True)
class RequestAnswered(Event):
    """A simulated provider was done with a request.

    `outcome` is the status code, or `timeout`, `reset`, `refused`, `truncated`, `dropped`, `stalled`, `malformed`,
    `error` (an error event inside a stream), `abandoned` (the client went away).
    """

    kind: ClassVar[str] = "answer"

    exchange: int
    provider: str
    model: str | None
    outcome: str
    start_ns: int
    usage: Usage | None = None
    billed: bool = False
    cost_usd: Decimal | None = None
    retry_after: float | None = None
    fault: str | None = None
    operation: str = "chat"

    def subject(self) -> str:
        """Provider and model."""
        return _target(self.provider, self.model)

    def detail(self) -> str:
        """Outcome, tokens, and the wait that was asked for."""
        usage = self.usage
        text = f"#{self.exchange} {self.outcome}"
        if usage is not None:
            text += f" {usage.input_tokens}+{usage.output_tokens} tokens"
        if self.retry_after is not None:
            text += f" retry_after={self.retry_after:g}"
        if self.fault is not None:
            text += f" fault={self.fault}"
        return text

    def line(self) -> str:
        """The event as one line."""
        model = f"/{self.model}" if self.model else ""
        return f"{self.at_ns}|{self.call}|answer|{self.provider}{model}|{self.detail()}"


@dataclass(slots=True)
class FaultFired(Event):
    """A fault rule decided a request."""

    kind: ClassVar[str] = "fault"

    rule: str
    provider: str
    exchange: int

    def subject(self) -> str:
        """The provider that was hit."""
        return self.provider

    def detail(self) -> str:
        """Which rule, on which request."""
        return f"{self.rule} #{self.exchange}"


@dataclass(slots=True)
class AttemptEnded(Event):
    """Our layer's view of one attempt, with usage, cost and error."""

    kind: ClassVar[str] = "attempt"

    attempt: Attempt

    def subject(self) -> str:
        """Provider and model."""
        return _target(self.attempt.provider, self.attempt.model)

    def detail(self) -> str:
        """Outcome, and what was slept before."""
        attempt = self.attempt
        slept = f" after {attempt.slept_before:.9g} s" if attempt.slept_before else ""
        return f"{attempt.outcome}{slept}"

    def line(self) -> str:
        """The event as one line."""
        attempt = self.attempt
        model = f"/{attempt.model}" if attempt.model else ""
        slept = f" after {attempt.slept_before:.9g} s" if attempt.slept_before else ""
        return f"{self.at_ns}|{self.call}|attempt|{attempt.provider}{model}|{attempt.outcome}{slept}"


@dataclass(slots=True)
class RetryScheduled(Event):
    """The retry policy will try the same provider again after `delay` seconds."""

    kind: ClassVar[str] = "retry"

    provider: str
    model: str | None
    number: int
    delay: float
    reason: str

    def subject(self) -> str:
        """Provider and model."""
        return _target(self.provider, self.model)

    def detail(self) -> str:
        """Number of the retry, its delay and its cause."""
        return f"#{self.number} in {self.delay:.9g} s because {self.reason}"


@dataclass(slots=True)
class FallbackTaken(Event):
    """The chain moved on from one slot to the next."""

    kind: ClassVar[str] = "fallback"

    chain: str
    from_provider: str
    from_model: str | None
    to_provider: str
    to_model: str | None
    reason: str

    def subject(self) -> str:
        """Where it came from."""
        return _target(self.from_provider, self.from_model)

    def detail(self) -> str:
        """Where it went, and why."""
        return f"to {_target(self.to_provider, self.to_model)} because {self.reason}"


@dataclass(slots=True)
class CircuitSkipped(Event):
    """A slot was skipped, because its circuit is open."""

    kind: ClassVar[str] = "circuit_open"

    provider: str
    model: str | None
    retry_after: float

    def subject(self) -> str:
        """Provider and model."""
        return _target(self.provider, self.model)

    def detail(self) -> str:
        """When the circuit lets a probe through."""
        return f"probe in {self.retry_after:.9g} s"


@dataclass(slots=True)
class BreakerChanged(Event):
    """A circuit breaker changed its state: `closed`, `open`, `half_open`."""

    kind: ClassVar[str] = "breaker"

    provider: str
    from_state: str
    to_state: str
    reason: str

    def subject(self) -> str:
        """Whose circuit it is."""
        return self.provider

    def detail(self) -> str:
        """Both states, and why."""
        return f"{self.from_state} -> {self.to_state}: {self.reason}"


@dataclass(slots=True)
class CacheHit(Event):
    """An answer came from the cache."""

    kind: ClassVar[str] = "cache_hit"

    provider: str
    model: str | None

    def subject(self) -> str:
        """Who had given the answer."""
        return _target(self.provider, self.model)


@dataclass(slots=True)
class BudgetRejected(Event):
    """A budget refused a call."""

    kind: ClassVar[str] = "budget_rejected"

    scope: str
    reason: str

    def subject(self) -> str:
        """Which limit."""
        return self.scope

    def detail(self) -> str:
        """The numbers."""
        return self.reason


@dataclass(slots=True)
class BudgetWarned(Event):
    """A budget passed its warning threshold, or let a call over the limit pass because it does not halt."""

    kind: ClassVar[str] = "budget_warned"

    scope: str
    reason: str

    def subject(self) -> str:
        """Which limit."""
        return self.scope

    def detail(self) -> str:
        """The numbers."""
        return self.reason


@dataclass(slots=True)
class RealIoObserved(Event):
    """Real sockets took part, so that the run's timing was not decided by the clock alone. Recorded once per peer."""

    kind: ClassVar[str] = "real_io"

    peer: str

    def subject(self) -> str:
        """The address of the other end."""
        return self.peer


@dataclass(slots=True)
class LiveRequestPassed(Event):
    """A request to an allowed host left the simulation."""

    kind: ClassVar[str] = "live"

    host: str
    method: str

    def subject(self) -> str:
        """The host."""
        return self.host

    def detail(self) -> str:
        """The method."""
        return self.method


@dataclass(slots=True)
class HarnessErrorRecorded(Event):
    """The test was found to be wrong."""

    kind: ClassVar[str] = "harness_error"

    error: BaseException

    def subject(self) -> str:
        """The error's class."""
        return type(self.error).__name__

    def detail(self) -> str:
        """The first line of its text."""
        return str(self.error).partition("\n")[0]


Subscriber = Callable[[Event], None]
CallNumbering = Callable[[str], LogicalCall]
E = TypeVar("E", bound=Event)
_subscribers: tuple[Subscriber, ...] = ()
_numberings: tuple[CallNumbering, ...] = ()
_subscribing = threading.Lock()
_unobserved_calls = count(1)


def publish(event: Event) -> None:
    """Hand an event to every subscriber; does nothing where there is none."""
    for subscriber in _subscribers:
        subscriber(event)


def begin_call(label: str) -> LogicalCall:
    """Number a new logical call: by whoever records the run, so that its numbers are those of its trace."""
    numberings = _numberings
    return numberings[-1](label) if numberings else LogicalCall(next(_unobserved_calls), label)


@contextmanager
def subscribed(subscriber: Subscriber, *, number_call: CallNumbering | None = None) -> Iterator[None]:
    """Receive every event published in the process while the context is open, from any thread.

    Args:
        subscriber: Called with each event.
        number_call: Numbers the logical calls that our own clients begin, as `Trace.next_call` does.
    """
    global _subscribers, _numberings  # noqa: PLW0603 - process-wide lists, replaced whole so that readers need no lock
    with _subscribing:
        _subscribers = (*_subscribers, subscriber)
        if number_call is not None:
            _numberings = (*_numberings, number_call)
    try:
        yield
    finally:
        with _subscribing:
            remaining = list(_subscribers)
            remaining.remove(subscriber)
            _subscribers = tuple(remaining)
            if number_call is not None:
                numberings = list(_numberings)
                numberings.remove(number_call)
                _numberings = tuple(numberings)


class Trace:
    """The events of one run, in the order in which they happened.

    Args:
        keep: Whether events are stored. A run of a million calls sets this to False and subscribes counters instead;
            its digest is the same.
        most: How many events are stored; older ones are dropped, and the digest is that of the others. None: all.
    """

    def __init__(self, *, keep: bool = True, most: int | None = None) -> None:
        self._keep = keep
        self._events: list[Event] | deque[Event] = [] if most is None else deque(maxlen=most)
        self._lines: list[str] = []
        self._hash = hashlib.blake2b(digest_size=16)
        self._calls = 0
        self._exchanges = 0

    def append(self, event: Event) -> None:
        """Record an event. What is stored can be hashed when somebody asks; what is not has to be hashed now."""
        if self._keep:
            self._events.append(event)
            return
        lines = self._lines
        lines.append(event.line())
        if len(lines) >= DIGEST_BATCH:
            self._fold()

    def _fold(self) -> None:
        if self._lines:
            lines, self._lines = self._lines, []
            self._hash.update(("\n".join(lines) + "\n").encode())

    def next_call(self, label: str, *, explicit: bool = True) -> LogicalCall:
        """Number a new logical call."""
        self._calls += 1
        return LogicalCall(self._calls, label, explicit)

    def next_exchange(self) -> int:
        """Number a new request that a simulated provider received."""
        self._exchanges += 1
        return self._exchanges

    def digest(self) -> str:
        """Return a hash of the whole history: equal histories, equal digests, on any machine."""
        if not self._keep:
            self._fold()
            return self._hash.hexdigest()
        history = hashlib.blake2b(digest_size=16)
        for event in tuple(self._events):
            history.update(f"{event.line()}\n".encode())
        return history.hexdigest()

    def __iter__(self) -> Iterator[Event]:
        """Iterate over the events."""
        return iter(tuple(self._events))

    def __len__(self) -> int:
        """Return how many events are stored."""
        return len(self._events)

    def of(self, *kinds: type[E]) -> list[E]:
        """Return the events of the given classes, in order."""
        return [event for event in tuple(self._events) if isinstance(event, kinds)]

    def render(self) -> str:
        """Return the trace as a text table that stays the same from run to run, fit for snapshots."""
        rows = [
            (f"{event.at:.3f}", str(event.call or "-"), event.kind, event.subject(), event.detail())
            for event in tuple(self._events)
        ]
        if not rows:
            return "(no events)"
        header = ("t/s", "call", "event", "who", "what")
        widths = [max(len(row[column]) for row in (header, *rows)) for column in range(4)]
        lines = []
        for row in (header, *rows):
            time, call, kind, who, what = row
            lines.append(
                f"{time:>{widths[0]}}  {call:>{widths[1]}}  {kind:<{widths[2]}}  {who:<{widths[3]}}  {what}".rstrip()
            )
        return "\n".join(lines)
