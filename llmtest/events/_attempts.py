"""What our own layer did at one provider."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from llmtest.events._event import Event, plain_usage
from llmtest.events._recorded_error import error_facts
from llmtest.types import Attempt

__all__ = ["AttemptEnded", "RetryScheduled"]


@dataclass(slots=True)
class AttemptEnded(Event):
    """Our layer's view of one attempt: its outcome, usage, cost and error.

    Args:
        attempt: The attempt.
    """

    kind: ClassVar[str] = "attempt"

    attempt: Attempt

    def line(self) -> str:
        """The facts as one line."""
        it = self.attempt
        wait = "None" if it.retry_after is None else f"{it.retry_after:.9g}"
        slept = f"{it.slept_before:.9g}" if it.slept_before else "0"
        error = "None" if it.error is None else error_facts(it.error).class_name
        return (
            f"{self.at_ns}|{self.call}|attempt|{it.provider},{it.model},{it.start_ns},{it.end_ns},{it.outcome},"
            f"{plain_usage(it.usage)},{it.billed},{wait},{slept},{it.purpose},{error}"
        )


@dataclass(slots=True)
class RetryScheduled(Event):
    """The retry policy will ask the same provider again.

    Args:
        provider: The provider.
        model: The model that was asked for.
        number: Which retry of the call at this provider it is, from 1.
        delay: Wait before it, in seconds.
        cause: Outcome of the attempt that failed: a status, or a word such as `timeout`.
        error_class: Class of the error it failed with.
    """

    kind: ClassVar[str] = "retry"

    provider: str
    model: str | None
    number: int
    delay: float
    cause: str
    error_class: str | None = None
