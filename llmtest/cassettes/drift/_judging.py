"""What is said of drift at the end of a session: what fails, and what is only told."""

from __future__ import annotations

from collections.abc import Sequence

from llmtest.cassettes.drift._drift import Drift

SHOWN = 10


def failure_of(name: str, drifts: Sequence[Drift], rerecord: str) -> str:
    """Return the text of the error for drift that breaks; empty where none does."""
    found = [drift for drift in drifts if drift.gravity == "breaking"]
    if not found:
        return ""
    return (
        f"{name} is no longer true: what came live differs from what was recorded.\n\n{_lines(found)}\n\n"
        f"To fix: record it again: {rerecord}"
    )


def notice_of(name: str, drifts: Sequence[Drift]) -> str:
    """Return the text of the warning for drift that is notable; empty where none is."""
    found = [drift for drift in drifts if drift.gravity == "notable"]
    return f"{name}: what came live has something new.\n{_lines(found)}" if found else ""


def _lines(drifts: Sequence[Drift]) -> str:
    lines = [f"  {drift}" for drift in drifts[:SHOWN]]
    return "\n".join(lines + [f"  and {len(drifts) - SHOWN:,} more"] * (len(drifts) > SHOWN))
