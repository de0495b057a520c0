"""How much a text has to do with a question, and how alike two texts are. Pure, and the same on every machine."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise

from llmtest.resilience.cache._embedder import FILLERS
from llmtest.resilience.cache._text_marks import marks_of, words_of

__all__ = ["likeness", "relevance"]

FIRST_UNSPACED, LAST_UNSPACED = "\u2e80", "\ud7ff"
"""Between these are the scripts of China, Japan and Korea, which have no spaces between words."""
KNOWN_TEXTS = 4096


def relevance(query: str, text: str) -> float:
    """Return which share of a question's words a text has: 0 to 1.

    Case, punctuation, a plural `s`, and fillers ("please", "the") do not count, nor does how often or in which order
    words stand. Scripts without spaces are compared by pairs of characters.

    Args:
        query: What is looked for. One without words is in no text.
        text: Where.

    Example:
        >>> relevance("quarterly sales report", "Reports of each quarter: sales go first.")
        0.6666666666666666
    """
    asked = _stems(query)
    return len(asked & _stems(text)) / len(asked) if asked else 0.0


def likeness(one: str, other: str) -> float:
    """Return how alike two texts are: the share of words, and pairs of neighbouring words, that they have in common.

    Texts that differ in a number, a denial or a word with a contrary ("before", "after") are not alike at all, however
    much of the rest is the same: neither says what the other says.

    Example:
        >>> likeness("Charts go on page 2.", "charts go on page 2")
        1.0
        >>> likeness("Charts go on page 2.", "Charts go on page 3.")
        0.0
    """
    words, marks = _shingles(one)
    others, other_marks = _shingles(other)
    if marks != other_marks:
        return 0.0
    together = words | others
    return len(words & others) / len(together) if together else 1.0


@lru_cache(KNOWN_TEXTS)
def _stems(text: str) -> frozenset[str]:
    found: set[str] = set()
    for word in words_of(text):
        if len(word) > 1 and any(FIRST_UNSPACED <= letter <= LAST_UNSPACED for letter in word):
            found.update(one + other for one, other in pairwise(word))
        elif word not in FILLERS:
            found.add(word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word)
    return frozenset(found)


@lru_cache(KNOWN_TEXTS)
def _shingles(text: str) -> tuple[frozenset[object], tuple[str, ...]]:
    words = words_of(text)
    return frozenset([*words, *pairwise(words)]), marks_of(text)
