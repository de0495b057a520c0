"""A text that matches a regular expression."""

from __future__ import annotations

import re
import string
from collections.abc import Iterable
from importlib import import_module
from random import Random
from typing import Any

from llmtest.simulation.script._schema import SchemaError

__all__ = ["text_of_pattern"]

LETTERS = string.ascii_lowercase
ANYTHING = LETTERS + string.digits
PRINTABLE = string.ascii_letters + string.digits + " _-.,:;!?@#$%&*+=/()[]{}<>'\"\\|~^`"
CATEGORIES = {
    "CATEGORY_DIGIT": string.digits,
    "CATEGORY_WORD": ANYTHING + string.ascii_uppercase + "_",
    "CATEGORY_SPACE": " ",
    "CATEGORY_NOT_DIGIT": LETTERS,
    "CATEGORY_NOT_WORD": " -.,:",
    "CATEGORY_NOT_SPACE": ANYTHING,
}
FEW = 3
"""How often more than its least a part without a limit is repeated at most, at first."""


def text_of_pattern(pattern: str, dice: Random, attempt: int = 0) -> str:
    """Return a text in which a pattern is found.

    Args:
        pattern: The regular expression; what looks ahead or back is not followed, so that the text has to be checked.
        dice: Where choices come from.
        attempt: How often that has failed; later texts are longer.

    Raises:
        SchemaError: It is no pattern that Python can read.
    """
    # The parser is private and has been the same since Python 3.11; the alternative is one of our own.
    parser = import_module("re._parser")
    try:
        parsed = parser.parse(pattern)
    except (re.error, OverflowError) as error:
        raise SchemaError(f"the pattern {pattern!r} cannot be read: {error}") from None
    return _Writer(dice, FEW + 6 * attempt).text(parsed)


class _Writer:
    def __init__(self, dice: Random, most: int) -> None:
        self._dice = dice
        self._most = most
        self._groups: dict[int, str] = {}

    def text(self, parsed: Iterable[tuple[Any, Any]]) -> str:
        """Write what a sequence of parts matches."""
        return "".join(self._part(str(operator), value) for operator, value in parsed)

    def _part(self, operator: str, value: Any) -> str:
        if operator == "LITERAL":
            return chr(value)
        if operator == "ANY":
            return self._dice.choice(ANYTHING)
        if operator in {"IN", "NOT_LITERAL", "CATEGORY"}:
            return self._dice.choice(_characters(operator, value))
        if operator == "GROUPREF":
            return self._groups.get(value, "")
        return self._parts(operator, value)

    def _parts(self, operator: str, value: Any) -> str:
        """Write what an operator with parts of its own matches; places and looks around are no text."""
        if operator == "BRANCH":
            return self.text(self._dice.choice(value[1]))
        if operator == "SUBPATTERN":
            number, _, _, parsed = value
            text = self.text(parsed)
            if number is not None:
                self._groups[number] = text
            return text
        if operator in {"MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"}:
            least, most, parsed = value
            times = self._dice.randint(least, min(int(most), least + self._most))
            return "".join(self.text(parsed) for _ in range(times))
        return self.text(value) if operator == "ATOMIC_GROUP" else ""


def _characters(operator: str, value: Any) -> str:
    """Return the characters that a set matches, as far as they are worth writing."""
    if operator == "NOT_LITERAL":
        return ANYTHING.replace(chr(value), "")
    if operator == "CATEGORY":
        return CATEGORIES[str(value)]
    is_negated = str(value[0][0]) == "NEGATE"
    found = ""
    for kind, each in value[1:] if is_negated else value:
        name = str(kind)
        if name == "LITERAL":
            found += chr(each)
        elif name == "RANGE":
            found += "".join(map(chr, range(each[0], min(each[1], each[0] + 255) + 1)))
        else:
            found += CATEGORIES[str(each)]
    if not is_negated:
        return found
    return "".join(each for each in ANYTHING if each not in found) or "".join(
        each for each in PRINTABLE if each not in found
    )
