"""Batches as every API has them: many requests handed over at once, worked off over time, looked at now and then.

A dialect's endpoints make a `BatchWork`, put it into `Store.begin` and read it. Whoever owns the store answers the
lines that are due, each as its request would be. No I/O and no clock: what time it is, is passed in, in epoch seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = ["DAY", "BatchLine", "BatchStage", "BatchWork", "LineResult"]

DAY = 86_400.0
"""Seconds in which every API promises to be done."""
VALIDATING = 2.0
"""Seconds in which the input is checked."""
FINALIZING = 2.0
"""Seconds in which the results are written."""
CANCELLING = 2.0
"""Seconds in which what is under way is given up."""

BatchStage = Literal[
    "validating", "failed", "in_progress", "finalizing", "completed", "cancelling", "cancelled", "expired"
]
"""What a batch is doing. `failed`, `completed`, `cancelled` and `expired` are the last of it."""


@dataclass(frozen=True, slots=True)
class BatchLine:
    """One request of a batch.

    Args:
        custom_id: What the caller calls it.
        method: `POST`, upper case.
        path: Path of the endpoint that answers it, as a URL has it: `/v1/chat/completions`.
        body: The body of the request, a JSON object.
        headers: Headers that came with the whole batch and count for every line, names in lower case.
    """

    custom_id: str
    method: str
    path: str
    body: dict[str, Any]
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class LineResult:
    """What came of a line.

    Args:
        status: Status of its answer; None where there was none.
        request_id: Id of the request.
        body: The answer, or the body of the error.
        failure: How the line failed without an answer, such as `timeout` or `reset`; None where it was answered.
    """

    status: int | None = None
    request_id: str | None = None
    body: Any = None
    failure: str | None = None

    @property
    def succeeded(self) -> bool:
        """Whether the line was answered, and not by an error."""
        return self.failure is None and self.status is not None and self.status < 400


@dataclass(slots=True)
class BatchWork:
    """A batch on its way.

    Args:
        id: Its id.
        lines: What is asked.
        made_s: When it was handed over, in epoch seconds.
        takes_s: Seconds in which its lines are worked off, evenly, one after the other; 0 or more.
        window_s: Seconds after which it expires, done or not.
        validating_s: Seconds before the first line is begun; 0 for an API that does not check first.
        finalizing_s: Seconds after the last line until the results can be read.
        is_valid: Whether its input can be worked on; if not, it has failed once it has been checked.
        facts: What the dialect wants to remember about it.
        results: What came of the lines so far, in their order.
        cancelled_s: When it was called off; None: it was not.
    """

    id: str
    lines: Sequence[BatchLine]
    made_s: float
    takes_s: float
    window_s: float = DAY
    validating_s: float = VALIDATING
    finalizing_s: float = FINALIZING
    is_valid: bool = True
    facts: dict[str, Any] = field(default_factory=dict)
    results: list[LineResult] = field(default_factory=list)
    cancelled_s: float | None = None

    @property
    def begun_s(self) -> float:
        """When the first line is begun, or the batch fails."""
        return self.made_s + self.validating_s

    @property
    def worked_off_s(self) -> float:
        """When the last line is answered."""
        return self.begun_s + self.takes_s

    @property
    def done_s(self) -> float:
        """When the results can be read."""
        return self.worked_off_s + self.finalizing_s

    @property
    def expires_s(self) -> float:
        """When it expires, if it is not done by then."""
        return self.made_s + self.window_s

    @property
    def given_up_s(self) -> float | None:
        """When all that was under way at its cancellation has been given up; None where it was not cancelled."""
        return None if self.cancelled_s is None else self.cancelled_s + CANCELLING

    def stage(self, now_s: float) -> BatchStage:
        """Tell what it is doing.

        Args:
            now_s: Epoch seconds.
        """
        if self.cancelled_s is not None and self.given_up_s is not None:
            return "cancelling" if now_s < self.given_up_s else "cancelled"
        if now_s < self.begun_s:
            return "validating"
        if not self.is_valid:
            return "failed"
        if self.done_s > self.expires_s and now_s >= self.expires_s:
            return "expired"
        if now_s < self.worked_off_s:
            return "in_progress"
        return "finalizing" if now_s < self.done_s else "completed"

    def is_over(self, now_s: float) -> bool:
        """Tell whether nothing about it changes any more."""
        return self.stage(now_s) in {"failed", "completed", "cancelled", "expired"}

    def cancel(self, now_s: float) -> bool:
        """Call it off, unless it is over; tell whether that was done now."""
        if self.cancelled_s is not None or self.is_over(now_s):
            return False
        self.cancelled_s = now_s
        return True

    def due(self, now_s: float) -> int:
        """Return how many of its lines are to be answered by now."""
        if not self.is_valid:
            return 0
        last = min(now_s, self.expires_s, now_s if self.cancelled_s is None else self.cancelled_s)
        if last < self.begun_s:
            return 0
        if last >= self.worked_off_s:
            return len(self.lines)
        return int(len(self.lines) * (last - self.begun_s) / self.takes_s)

    @property
    def succeeded(self) -> int:
        """How many lines were answered so far, and not by an error."""
        return sum(result.succeeded for result in self.results)

    @property
    def failed(self) -> int:
        """How many lines came to nothing so far, or to an error."""
        return len(self.results) - self.succeeded

    def undone(self) -> Sequence[BatchLine]:
        """Return the lines that nothing has come of."""
        return self.lines[len(self.results) :]
