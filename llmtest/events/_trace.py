"""The events of one run, in the order in which they happened."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterator
from typing import TypeVar

from llmtest.events._calls import LogicalCall
from llmtest.events._event import Event
from llmtest.events._wording import table

__all__ = ["DIGEST_BATCH", "Trace"]


DIGEST_BATCH = 512
"""Lines that are joined before they are hashed; hashing each line alone costs three times as much."""
AS_IT_IS = "surrogatepass"
"""Half a pair of characters, which JSON can name, is text as well."""


E = TypeVar("E", bound=Event)


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
            self._hash.update(("\n".join(lines) + "\n").encode(errors=AS_IT_IS))

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
            history.update(f"{event.line()}\n".encode(errors=AS_IT_IS))
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
        return table(tuple(self._events))
