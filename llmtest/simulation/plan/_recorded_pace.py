"""The pauses of a recording between the pieces of its answer, and how it ends where it was not heard to its end."""

from __future__ import annotations

from collections.abc import Sequence

from llmtest.simulation.plan._plan import Chunk, Failure, Head, Step, Wait

__all__ = ["as_recorded"]


def as_recorded(steps: Sequence[Step], due_ns: Sequence[int], *, is_complete: bool) -> list[Step]:
    """Return the steps of an answer at the pace at which it was recorded.

    Args:
        steps: Its steps, without pauses of their own but for those of faults.
        due_ns: When each piece came, in nanoseconds since the head; empty: at once.
        is_complete: Whether the recording ends as the answer did; else its connection breaks.
    """
    found: list[Step] = []
    # One silence is one wait: a client's limit on silence must see it whole.
    silence = spent = number = 0
    for step in steps:
        if isinstance(step, Wait) and step.ns is not None:
            silence += step.ns
            continue
        if isinstance(step, Chunk) and due_ns:
            due = due_ns[min(number, len(due_ns) - 1)]
            silence += max(due - spent, 0)
            spent = max(due, spent)
            number += 1
        if silence and (not isinstance(step, Head) or not found):
            found.append(Wait(silence))
            silence = 0
        found.append(step)
    if not is_complete and not isinstance(found[-1], Failure):
        found.append(Failure("incomplete"))
    return found
