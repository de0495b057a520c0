"""The nearest thing we know to what somebody wrote."""

from __future__ import annotations

from collections.abc import Iterable

from llmtest.types._spelling import did_you_mean, nearest

__all__ = ["did_you_mean", "known", "nearest"]


def known(noun: str, choices: Iterable[str]) -> str:
    """Return a line that lists what is valid."""
    return f"\nKnown {noun}: {', '.join(choices)}."
