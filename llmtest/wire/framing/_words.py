"""Cutting text into the pieces in which a stream delivers it."""

from __future__ import annotations

import re

_WORD = re.compile(r"\s*\S{1,24}|\s+")


def words(text: str) -> list[str]:
    """Cut text into words, each with the space before it, as tokens have it; joined again they are the text."""
    return _WORD.findall(text)
