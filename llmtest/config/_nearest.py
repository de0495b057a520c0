"""The nearest thing we know to what somebody wrote."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = ["did_you_mean", "known", "nearest"]


def nearest(word: str, choices: Iterable[str]) -> str | None:
    """Return the choice most like `word`, or None where nothing is like it."""
    choices = list(choices)
    folded = {choice.lower().replace("-", "_"): choice for choice in choices}
    found = get_close_matches(word.lower().replace("-", "_"), list(folded), n=1, cutoff=0.6)
    return folded[found[0]] if found else None


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """Return ` Did you mean ...?`, or nothing."""
    found = nearest(word, choices)
    return f" Did you mean `{found}`?" if found else ""


def known(noun: str, choices: Iterable[str]) -> str:
    """Return a line that lists what is valid."""
    return f"\nKnown {noun}: {', '.join(choices)}."
