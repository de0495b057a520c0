"""What no similarity of texts may hide: whether something is denied, and every number.

Vectors of "is it safe" and "is it not safe" lie closer to each other than those of two ways to ask the same, whatever
model they come from; likewise "version 3.11" and "version 3.12". So these words must be equal before vectors are
compared.
"""

from __future__ import annotations

import re

__all__ = ["marks_of", "words_of"]

APOSTROPHE = "\u2019"
"""As typesetters write it."""
WORD = re.compile(rf"[^\W_]+(?:['{APOSTROPHE}.,:/][^\W_]+)*")
DENYING = """
    no not never none nobody nothing nowhere neither nor without except unless hardly barely lacks lacking false avoid
    stop disable disabled exclude excluding
"""
CONTRARY = """
    before after above below more less most least increase decrease increasing decreasing higher lower greater smaller
    highest lowest best worst maximum minimum max min first last allow deny allowed forbidden enable enabled include
    including safe unsafe legal illegal true start begin end open close buy sell up down left right old new on off all
    only always often add remove win lose good bad hot cold pro con pros cons advantage disadvantage advantages
    disadvantages
"""
"""Words with a counterpart that means the contrary and stands in the same places."""
TELLING = frozenset((DENYING + CONTRARY).split())


def words_of(text: str) -> list[str]:
    """Return the words of a text, in order, without case and punctuation; `n't` is a word of its own."""
    found: list[str] = []
    for word in WORD.findall(text.casefold().replace(APOSTROPHE, "'")):
        if word.endswith("n't"):
            found += [{"ca": "can", "wo": "will", "sha": "shall"}.get(word[:-3], word[:-3]), "not"]
        elif word == "cannot":
            found += ["can", "not"]
        elif "'" in word:
            found += [part for part in word.split("'") if part]
        else:
            found.append(word)
    return found


def marks_of(text: str) -> tuple[str, ...]:
    """Return the denials, the words with a contrary, and the numbers of a text, in their order."""
    return tuple(word for word in words_of(text) if word in TELLING or any(map(str.isdigit, word)))
