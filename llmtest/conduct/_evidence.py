"""What is known of the calls of a run: their requests, as the providers saw them, and what their callers got."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from llmtest.conduct._witness import Witness
from llmtest.events import CallEnded, Event, RequestAnswered, RequestReceived, Returned

if TYPE_CHECKING:
    from decimal import Decimal

__all__ = ["CallEvidence", "RequestEvidence", "Result", "RunEvidence"]

Result = Literal["answered", "raised", "swallowed"]
PENDING = "pending"
"""Outcome of a request that has no answer yet."""


class RequestEvidence:
    """One request of a call.

    Attributes:
        exchange: Number of the request in the trace.
        provider: Who was asked.
        model: For which model.
        operation: For what: `chat`, `embeddings`.
        stream: Whether the answer was to be streamed; None where only the answer is known.
        at_ns: When it came.
        answer: What came of it; None while it is under way.
    """

    __slots__ = ("answer", "at_ns", "exchange", "model", "operation", "provider", "stream")

    def __init__(self, event: RequestReceived | RequestAnswered) -> None:
        self.exchange = event.exchange
        self.provider = event.provider
        self.model = event.model
        self.operation = event.operation
        self.stream: bool | None
        self.answer: RequestAnswered | None
        if isinstance(event, RequestAnswered):
            self.stream, self.at_ns, self.answer = None, event.start_ns, event
        else:
            self.stream, self.at_ns, self.answer = event.stream, event.at_ns, None

    @property
    def outcome(self) -> str:
        """Status code or word."""
        return PENDING if self.answer is None else self.answer.outcome

    @property
    def ended_ns(self) -> int:
        """When the provider was done with it; while it is under way, when it came."""
        return self.at_ns if self.answer is None else self.answer.at_ns

    @property
    def is_answered(self) -> bool:
        """Whether the caller got an answer; a stream that its reader closed early counts as read."""
        if self.outcome == "abandoned":
            return self.stream is not False
        return self.outcome.startswith("2")

    @property
    def has_failed(self) -> bool:
        """Whether it ended without an answer."""
        return self.answer is not None and not self.is_answered

    @property
    def retry_after(self) -> float | None:
        """Wait that the provider asked for, in seconds."""
        return None if self.answer is None else self.answer.retry_after

    @property
    def fault(self) -> str:
        """Name of the fault that decided it; empty where none did."""
        return "" if self.answer is None or self.answer.fault is None else self.answer.fault

    def __str__(self) -> str:
        target = f"{self.provider}/{self.model}" if self.model else self.provider
        wait = f" retry_after={self.retry_after:g}" if self.retry_after else ""
        ended = f"{self.outcome}{wait} at {self.ended_ns / 1e9:.3f} s"
        return f"#{self.exchange} {target} asked at {self.at_ns / 1e9:.3f} s: {ended}"


@dataclass(slots=True, eq=False)
class CallEvidence:
    """One logical call.

    Args:
        number: Its number; those that nobody marked have numbers below 1.
        witness: What else is known of its requests.
        requests: Its requests, in order. A run that keeps no history has those from the first failure on.
        is_refused: Whether a circuit or a budget of the caller's own stood in the way of a request.
        asked: How many requests it sent, over all.
        ended: How it ended; None while it is under way.
    """

    number: int
    witness: Witness
    requests: list[RequestEvidence] = field(default_factory=list)
    is_refused: bool = False
    asked: int = 0
    ended: CallEnded | None = None

    @property
    def name(self) -> str:
        """How texts call it."""
        return f"call {self.number}" if self.number > 0 else f"unmarked call {-self.number}"

    @property
    def is_marked(self) -> bool:
        """Whether somebody marked it, so that its end is known."""
        return self.number > 0

    @property
    def label(self) -> str:
        """Name that its mark gave it."""
        return "" if self.ended is None else self.ended.label

    @property
    def result(self) -> Result | None:
        """What the caller got; None where that is not known, as of every call that nobody marked.

        `answered`: what a provider said, or whatever the caller returned instead. `raised`: an error. `swallowed`: the
        call ended as if all were well, although its last request had failed, and nobody said that anything was
        returned.
        """
        ended = self.ended
        if ended is None or not self.is_marked:
            return None
        if ended.outcome != "ok":
            return "raised"
        has_failed = ended.provider is None and bool(self.requests) and self.requests[-1].has_failed
        if not has_failed or (ended.returned is not None and ended.returned.text != ""):
            return "answered"
        return "swallowed"

    @property
    def returned(self) -> Returned | None:
        """What the caller got, where somebody said it."""
        return None if self.ended is None else self.ended.returned

    def stretches(self) -> Iterator[list[RequestEvidence]]:
        """Cut the call after each answer: what comes then is an agent's next turn, and repeats nothing."""
        stretch: list[RequestEvidence] = []
        for request in self.requests:
            stretch.append(request)
            if request.is_answered:
                yield stretch
                stretch = []
        if stretch:
            yield stretch

    def repeats_in(self, stretch: Sequence[RequestEvidence]) -> Iterator[tuple[RequestEvidence, RequestEvidence]]:
        """Return each request of a stretch that was sent again, as the failed one and the one that repeats it."""
        failed: dict[str, RequestEvidence] = {}
        for request in stretch:
            before = failed.get(request.provider)
            if before is not None and self.witness.is_same(before.exchange, request.exchange):
                yield before, request
            if request.has_failed:
                failed[request.provider] = request

    def repeats(self) -> Iterator[tuple[RequestEvidence, RequestEvidence]]:
        """Return the same of the whole call."""
        for stretch in self.stretches():
            yield from self.repeats_in(stretch)

    def sender(self, request: RequestEvidence) -> str:
        """Return who sent a repeated request."""
        return self.witness.sender(request.exchange, self.number)


@dataclass(slots=True, eq=False)
class RunEvidence:
    """A whole run, where its history was kept.

    Args:
        calls: Its logical calls, in the order in which they began.
        events: Everything that happened, in order.
        witness: What is known of requests beside their events.
        budget: What the run may cost, in USD; None: nobody set a limit.
    """

    calls: Sequence[CallEvidence]
    events: Sequence[Event]
    witness: Witness
    budget: Decimal | None = None

    @property
    def caller(self) -> str:
        """Who makes the calls."""
        return self.witness.caller
