"""The trace read as attempts and logical calls: the one place where assertions learn what happened.

Two witnesses speak in a trace. A simulated provider saw every request of every client (`RequestReceived`,
`RequestAnswered`); our own layer knows what was decided without a request (`CircuitSkipped`, `CacheHit`). Here they
become one list in the order in which they began. Pure functions over events: no clock, no simulation.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from llmtest.errors import AmbiguousCallError
from llmtest.events import CacheHit, CircuitSkipped, Event, RequestAnswered, RequestReceived

__all__ = ["Seen", "answered_groups", "attempts_of", "calls_of", "count_calls", "fallbacks_of", "matches_target"]

PENDING = "pending"
"""Outcome of a request that has no answer yet."""


@dataclass(slots=True)
class Seen:
    """One attempt, as the witnesses saw it.

    Args:
        began: Position in the trace at which it began.
        ended: Position at which it ended; None while it is under way.
        call: Number of its logical call, 0 where nobody marked one.
        provider: Name of the provider.
        model: Model that was asked for.
        outcome: Status code or word.
        at_ns: When it began.
        operation: `chat`, `embeddings`, `models` and so on; attempts of one kind only can be each other's retries.
        stream: Whether the answer was asked for as a stream.
        fault: The fault that decided it, where one did.
        requested: Whether a request was made; False for a skipped circuit and a cache hit.
        exchange: Number of the request in the trace; 0 where none was made.
        ended_ns: When it ended; None while it is under way.
    """

    began: int
    ended: int | None
    call: int
    provider: str
    model: str | None
    outcome: str
    at_ns: int
    operation: str = "chat"
    stream: bool = False
    fault: str | None = None
    requested: bool = True
    exchange: int = 0
    ended_ns: int | None = None

    @property
    def target(self) -> str:
        """Provider, with the model where one is known."""
        return f"{self.provider}/{self.model}" if self.model else self.provider

    @property
    def step(self) -> str:
        """The attempt in the words of `assert_sequence`."""
        return f"{self.target}:{self.outcome}"

    @property
    def answered(self) -> bool:
        """Whether the caller got something out of it; a stream closed early by its reader counts as read."""
        if self.outcome == "abandoned":
            return self.stream
        return self.outcome == "cache_hit" or (self.outcome.isdigit() and self.outcome.startswith("2"))

    @property
    def is_left(self) -> bool:
        """Whether it is a stream that its reader left open, which stands in nobody's way."""
        return self.stream and (self.ended is None or self.outcome == "abandoned")

    @property
    def failed(self) -> bool:
        """Whether it ended without an answer."""
        return self.outcome != PENDING and not self.answered


def attempts_of(events: Iterable[Event]) -> list[Seen]:
    """Return every attempt, in the order in which they began."""
    seen: list[Seen] = []
    under_way: dict[int, Seen | None] = {}
    for position, event in enumerate(events):
        if isinstance(event, RequestReceived):
            attempt = Seen(
                position,
                None,
                event.call,
                event.provider,
                event.model,
                PENDING,
                event.at_ns,
                event.operation,
                event.stream,
                exchange=event.exchange,
            )
            under_way[event.exchange] = attempt
            seen.append(attempt)
        elif isinstance(event, RequestAnswered):
            announced = under_way.pop(event.exchange, None)
            attempt = _unannounced(position, event, seen) if announced is None else announced
            attempt.ended = position
            attempt.ended_ns = event.at_ns
            attempt.outcome = event.outcome
            attempt.fault = event.fault
            attempt.model = event.model or attempt.model
        elif isinstance(event, CircuitSkipped | CacheHit):
            seen.append(
                Seen(
                    position,
                    position,
                    event.call,
                    event.provider,
                    event.model,
                    event.kind,
                    event.at_ns,
                    requested=False,
                )
            )
    return seen


def _unannounced(position: int, event: RequestAnswered, seen: list[Seen]) -> Seen:
    """Make the attempt of an answer whose request is not in the trace, as after a reset between two tests."""
    attempt = Seen(position, None, event.call, event.provider, event.model, PENDING, event.start_ns, event.operation)
    attempt.exchange = event.exchange
    seen.append(attempt)
    return attempt


def matches_target(attempt: Seen, target: str) -> bool:
    """Tell whether an attempt went to `provider` or to `provider/model`."""
    provider, _, model = target.partition("/")
    return attempt.provider == provider and (not model or attempt.model == model)


def calls_of(attempts: Sequence[Seen], assertion: str) -> list[list[Seen]]:
    """Return the attempts of each logical call and operation, calls in the order in which they began.

    Attempts that nobody marked form one call, as long as they come one after the other.

    Raises:
        AmbiguousCallError: Unmarked attempts overlap, so that which follows which would be a guess.
    """
    __tracebackhide__ = True
    calls: dict[tuple[int, str], list[Seen]] = {}
    for attempt in attempts:
        calls.setdefault((attempt.call, attempt.operation), []).append(attempt)
    overlap = next((pair for (call, _), members in calls.items() if call == 0 for pair in _overlaps(members)), None)
    if overlap is not None:
        raise _ambiguous(assertion, *overlap)
    return list(calls.values())


def _overlaps(attempts: Sequence[Seen]) -> Iterator[tuple[Seen, Seen]]:
    latest: Seen | None = None
    for attempt in attempts:
        if latest is not None and latest.is_left:
            latest = None
        if latest is not None and (latest.ended is None or latest.ended > attempt.began):
            yield latest, attempt
        if latest is None or (latest.ended is not None and (attempt.ended is None or attempt.ended > latest.ended)):
            latest = attempt


def _ambiguous(assertion: str, first: Seen, second: Seen) -> AmbiguousCallError:
    return AmbiguousCallError(
        f"{assertion} cannot tell which requests belong together: unmarked calls overlap.\n\n"
        f"  {first.step} began at {first.at_ns / 1e9:.3f} s and was still under way\n"
        f"  {second.step} began at {second.at_ns / 1e9:.3f} s\n\n"
        "To fix: mark each call of the code under test, so that its attempts are counted together:\n"
        '  with llm_sim.call("summary"):\n'
        "      my_app.summarise(text)"
    )


def answered_groups(attempts: Sequence[Seen]) -> Iterator[list[Seen]]:
    """Cut one logical call after each answer.

    An app that asks twice within one logical call (a test without marks, an agent's turns) makes a new request after
    an answer, which is neither a retry nor a fallback.
    """
    group: list[Seen] = []
    for attempt in attempts:
        group.append(attempt)
        if attempt.answered:
            yield group
            group = []
    if group:
        yield group


def fallbacks_of(group: Sequence[Seen]) -> list[tuple[Seen, Seen]]:
    """Return the moves of one group from a failed target to another."""
    return [
        (before, after)
        for before, after in pairwise(group)
        if before.failed and (before.provider, before.model) != (after.provider, after.model)
    ]


def count_calls(attempts: Sequence[Seen]) -> tuple[int, int]:
    """Return how many logical calls were made and how many of their moves were fallbacks, without guessing.

    A marked call counts once. Unmarked attempts count one call for each answer, and one more for failures after the
    last answer; where they overlap, their fallbacks are not counted.
    """
    by_call: dict[int, list[Seen]] = {}
    for attempt in attempts:
        by_call.setdefault(attempt.call, []).append(attempt)
    calls = fallbacks = 0
    for call, members in by_call.items():
        groups = list(answered_groups(members))
        calls += 1 if call else len(groups)
        if call or not any(_overlaps(members)):
            fallbacks += sum(len(fallbacks_of(group)) for group in groups)
    return calls, fallbacks
