"""What every event is: facts in typed fields, and the line that the digest of a history is made of."""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass
from decimal import Decimal
from functools import cache
from operator import attrgetter
from typing import Any, ClassVar

from llmtest.events._recorded_error import error_facts
from llmtest.types import Usage

__all__ = ["Event", "plain_usage"]

NOT_HASHED = frozenset(
    {"calls", "cost_usd", "credential", "metadata", "partial_text", "returned", "seconds", "service_tier"},
)
"""Facts that no digest covers: prices are those of the day's price list, a key's label comes from the machine, real
seconds are another number in every run, what sets a price or labels a request changes nothing that happens; texts, and
how many calls a circuit looked at, follow from what does."""


@dataclass(slots=True)
class Event:
    """Something that happened.

    An event holds facts alone; its words are made in `_wording`. A new class needs a row in `_facts.EVENTS`, and words
    of its own where the bare facts do not read well.

    Args:
        at_ns: When it happened, counted from the clock's start.
        call: Number of the logical call it belongs to; 0 = none.
    """

    kind: ClassVar[str] = "event"

    at_ns: int
    call: int

    @property
    def at(self) -> float:
        """Seconds since the clock's start."""
        return self.at_ns / 1e9

    def line(self) -> str:
        """The facts in their order, as one line of the history that `Trace.digest` hashes.

        The events that every call makes write theirs in one piece, which is the same text in a third of the time.
        """
        cls: Any = self.__class__
        facts = [plain(getattr(self, name)) for name in hashed_fields(cls)[2:]]
        return "|".join([f"{self.at_ns}|{self.call}|{self.kind}", *facts])


@cache
def hashed_fields(kind: Any) -> tuple[str, ...]:
    """Return the fields of a class that its lines tell, in their order."""
    return tuple(field.name for field in fields(kind) if field.name not in NOT_HASHED)


rare_facts = attrgetter(*hashed_fields(Usage)[2:])
NO_RARE_FACTS = rare_facts(Usage())
_last: tuple[Usage | None, str] = (None, "None")


def plain_usage(it: Usage | None) -> str:
    """Return tokens as a line tells them: input and output, and the other facts where any of them is out of the way."""
    if it is None:
        return "None"
    global _last  # noqa: PLW0603 - an answer and its attempt tell of one usage, one after the other
    last, text = _last
    if it is not last:
        rare = rare_facts(it)
        text = f"{it.input_tokens},{it.output_tokens}"
        if rare != NO_RARE_FACTS:
            text = ",".join([text, *map(str, rare)])
        _last = (it, text)
    return text


def plain(value: object) -> str:
    """Return one fact as a line tells it: the same text on every machine and every Python.

    Of an error only its class is told: its text may name paths of the machine and versions.
    """
    if isinstance(value, float):
        return f"{value:.9g}"
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, BaseException):
        return error_facts(value).class_name
    if isinstance(value, Usage):
        return plain_usage(value)
    if is_dataclass(value):
        return ",".join(plain(getattr(value, name)) for name in hashed_fields(value.__class__))
    return str(value)
