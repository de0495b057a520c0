"""`harness_error`: the run itself was wrong, so that no verdict on conduct holds."""

from __future__ import annotations

from llmtest.conduct._kind import FindingKind

__all__ = ["KIND"]

KIND = FindingKind(
    name="harness_error",
    rule="the run itself was wrong: a blocked live request, an unscripted one",
    fix="mend the test, as its error says",
    blames="the test",
)
