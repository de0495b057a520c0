"""What every event is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

__all__ = ["Event", "target"]


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


def target(provider: str, model: str | None) -> str:
    """Name a provider, with its model where one is known."""
    return f"{provider}/{model}" if model else provider
