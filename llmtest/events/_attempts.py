"""What our own layer did at one provider."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from llmtest.events._event import Event, target

if TYPE_CHECKING:
    from llmtest.types import Attempt

__all__ = ["AttemptEnded", "RetryScheduled"]


@dataclass(slots=True)
class AttemptEnded(Event):
    """Our layer's view of one attempt, with usage, cost and error."""

    kind: ClassVar[str] = "attempt"

    attempt: Attempt

    def subject(self) -> str:
        """Provider and model."""
        return target(self.attempt.provider, self.attempt.model)

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
        return target(self.provider, self.model)

    def detail(self) -> str:
        """Number of the retry, its delay and its cause."""
        return f"#{self.number} in {self.delay:.9g} s because {self.reason}"
