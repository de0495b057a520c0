"""How a failed assertion reads: headline, facts, fix, and the whole trace."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llmtest.events import Trace

__all__ = ["did_you_mean", "dollars", "failure", "rendered", "side_by_side"]

TRACE_LINES = 200
"""Lines of a trace that a failure prints; of a longer one its beginning and its end."""
TRACE_NOTE = "__llmtest_trace__"
"""Attribute of an error whose text holds the trace."""


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """Return ` Did you mean ...?`, or nothing; what a slip alone needs is loaded when there is one."""
    from llmtest.types._spelling import did_you_mean

    return did_you_mean(word, choices)


def failure(headline: str, trace: Trace, *, facts: Iterable[str] = (), fix: str | None = None) -> AssertionError:
    """Make the error of a failed assertion: what and why, the facts, how to fix it, the trace."""
    parts = [headline]
    indented = "\n".join(f"  {fact}".rstrip() for fact in facts)
    if indented:
        parts.append(indented)
    if fix:
        parts.append(f"To fix: {fix}")
    parts.append("Trace:\n" + rendered(trace))
    error = AssertionError("\n\n".join(parts))
    setattr(error, TRACE_NOTE, True)
    return error


def rendered(trace: Trace, most: int = TRACE_LINES) -> str:
    """Return a trace as a failure shows it: indented, and of a long one its beginning and its end."""
    return _indent(_shortened(trace.render(), most))


def _shortened(text: str, most: int) -> str:
    lines = text.split("\n")
    if len(lines) <= most:
        return text
    half = most // 2
    return "\n".join([*lines[:half], f"... {len(lines) - 2 * half} lines left out ...", *lines[-half:]])


def _indent(text: str) -> str:
    return "\n".join(f"  {line}".rstrip() for line in text.split("\n"))


def side_by_side(expected: Sequence[str], actual: Sequence[str], wrong: int | None) -> list[str]:
    """Return two numbered columns, with a mark at the row where they part."""
    width = max([len("expected"), *map(len, expected)])
    lines = [f"     {'expected':<{width}}  actual"]
    for row in range(max(len(expected), len(actual))):
        left = expected[row] if row < len(expected) else "-"
        right = actual[row] if row < len(actual) else "-"
        mark = ">" if row == wrong else " "
        lines.append(f"{mark} {row + 1:>2} {left:<{width}}  {right}")
    return lines


def dollars(amount: Decimal) -> str:
    """Return an amount of USD as text: exact, without an exponent and without zeros at its end."""
    return f"${amount.normalize():f}"
