"""What a simulated provider decided to do with one request, as data; the transports perform it.

A simulated provider never sleeps, never touches a socket and knows no HTTP library. It turns an `Exchange` into a
`Plan`: waits, a head, pieces of body, an end or a failure. Whoever carries the bytes (an `httpx` transport, an
`httpx2` transport, the loopback server) performs the plan in its own world and maps a `Failure` to the exception or
the socket behaviour of that world. So every client sees the same provider.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

from llmtest.faults import FailureKind
from llmtest.types import NO_TIMEOUTS, Timeouts
from llmtest.types._quick_init import quick_init


@dataclass(slots=True)
class Exchange:
    """One request as it arrived.

    Args:
        method: `POST`, upper case.
        scheme: `https` or `http`.
        host: Host name, lower case, without the port.
        port: Port, the scheme's default where the URL has none.
        path: Path of the URL, without the query.
        query: Query string, without the question mark.
        headers: Lower-case names; a repeated header is joined by a comma.
        body: The body as sent.
        timeouts: The client's own limits, which the performing transport enforces.
    """

    method: str
    scheme: str
    host: str
    port: int
    path: str
    query: str
    headers: dict[str, str]
    body: bytes
    timeouts: Timeouts = NO_TIMEOUTS


@dataclass(slots=True, frozen=True)
class Wait:
    """Let time pass before the next step. `None` waits for ever (a stalled provider)."""

    ns: int | None


@quick_init
@dataclass(slots=True, frozen=True)
class Head:
    """Status line and headers, names in lower case."""

    status: int
    headers: tuple[tuple[str, str], ...]


@quick_init
@dataclass(slots=True, frozen=True)
class Chunk:
    """A piece of the body, delivered as one read."""

    data: bytes


@dataclass(slots=True, frozen=True)
class Failure:
    """The connection fails here."""

    kind: FailureKind


Step = Wait | Head | Chunk | Failure


class CountedSteps:
    """The steps of a streamed answer; whoever takes them one by one leaves a note of how much of the body that was.

    Args:
        steps: The steps.
        taken: Where pieces of the body are noted.
    """

    __slots__ = ("_steps", "_taken")

    def __init__(self, steps: Iterable[Step], taken: list[bytes]) -> None:
        self._steps = steps
        self._taken = taken

    def __iter__(self) -> Iterator[Step]:
        for step in self._steps:
            try:
                yield step
            finally:
                # A piece that was handed over counts, also where the client stops at it.
                if step.__class__ is Chunk:
                    self._taken.append(step.data)


class ReadySteps(CountedSteps):
    """The steps of a streamed answer that waits for nothing: a head, and the pieces of the body.

    Args:
        head: The head.
        pieces: The body.
        taken: Where pieces of the body are noted.
    """

    __slots__ = ("head", "pieces")

    def __init__(self, head: Head, pieces: list[bytes], taken: list[bytes]) -> None:
        super().__init__(chain((head,), map(Chunk, pieces)), taken)
        self.head = head
        self.pieces = pieces


@dataclass(slots=True)
class Plan:
    """The steps of one answer. A plan without a `Failure` ends cleanly after its last step.

    Args:
        steps: What happens, in order; may be a generator, read once.
        outcome: The outcome to report when every step has been performed.
        on_end: Called exactly once by the performer with what really came of it: `outcome` when all steps were
            performed, `timeout` or `stalled` when the client's limit ended it first, `abandoned` when the client went
            away (closed the stream early, or was cancelled).
    """

    steps: Iterable[Step]
    outcome: str
    on_end: Callable[[str], None]

    def at_once(self) -> tuple[Head, bytes] | None:
        """Return head and body of an answer that takes no time and comes in one piece; None for any other."""
        steps = self.steps
        if steps.__class__ is tuple and len(steps) == 2:
            head, chunk = steps
            if head.__class__ is Head and chunk.__class__ is Chunk:
                return head, chunk.data
        return None

    def pieces_at_once(self) -> tuple[Head, list[bytes]] | None:
        """Return head and pieces of a stream that takes no time; None for any other answer."""
        steps = self.steps
        return (steps.head, steps.pieces) if isinstance(steps, ReadySteps) else None
