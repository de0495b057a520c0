"""How a scenario whose expectations did not hold reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llmtest.scenarios import RunResult

__all__ = ["expectations_failed"]


def expectations_failed(result: RunResult, *, reproduce: str, trace: str | None = None) -> str:
    """Return what held and what did not, as text.

    Args:
        result: The run, or what a test did in its place.
        reproduce: The command that does it again.
        trace: The trace as text, where it is short enough to be read.
    """
    total = len(result.expectations)
    failed = sum(not check.ok for check in result.expectations)
    noun = "expectation" if total == 1 else "expectations"
    width = max(len(check.check) for check in result.expectations)
    facts = [
        f"{'  ' if check.ok else '> '}{check.check:<{width}}  expected {check.expected}, was {check.actual}"
        for check in result.expectations
    ]
    headline = f"`{result.scenario}`: {failed} of {total} {noun} did not hold, seed {result.seed}."
    counts = ", ".join(
        _counted(count, noun)
        for count, noun in ((result.calls, "call"), (result.attempts, "attempt"), (result.fallbacks, "fallback"))
    )
    took = f"{counts} in {result.virtual_seconds:.9g} virtual seconds"
    lines = [headline, "", *facts, "", took, f"Reproduce: {reproduce}"]
    if trace is not None:
        lines += ["", "Trace:", trace]
    return "\n".join(lines)


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
