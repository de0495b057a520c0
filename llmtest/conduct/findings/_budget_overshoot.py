"""`budget_overshoot`: spent more than somebody had allowed."""

from __future__ import annotations

from llmtest.conduct._kind import FindingKind

__all__ = ["KIND"]

KIND = FindingKind(
    name="budget_overshoot",
    rule="the calls cost more than the budget's limit in a day, in a month, or in the session",
    fix="reserve what a call may cost before it is sent, and refuse it where that is more than is left",
    blames="app or provider layer",
)
