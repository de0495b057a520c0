"""A conversation as turns: a message of the user and what follows it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from llmtest.types import ChatMessage

__all__ = ["Turns", "turns_of"]


@dataclass(frozen=True, slots=True)
class Turns:
    """A conversation by what of it may be left out.

    Args:
        messages: All of it.
        required: Places of the system prompts and of the current turn.
        earlier: Places of each earlier turn, the latest first. Tool calls and their results are of one turn.
    """

    messages: Sequence[ChatMessage]
    required: frozenset[int]
    earlier: tuple[tuple[int, ...], ...]

    def at(self, places: Iterable[int]) -> tuple[ChatMessage, ...]:
        """Return the messages at some places, in their order."""
        return tuple(self.messages[place] for place in sorted(places))

    @property
    def asked(self) -> str:
        """The last message of the user, as text; empty where there is none."""
        return next((message.text for message in reversed(self.messages) if message.role == "user"), "")


def turns_of(messages: Sequence[ChatMessage]) -> Turns:
    """Cut a conversation into turns. Without a message of the user all of it is the current one."""
    system = [place for place, message in enumerate(messages) if message.role == "system"]
    starts = [place for place, message in enumerate(messages) if message.role == "user"]
    if not starts:
        return Turns(messages, frozenset(range(len(messages))), ())
    bounds = sorted({0, *starts})
    spans = [range(start, end) for start, end in zip(bounds, [*bounds[1:], len(messages)], strict=True)]
    turns = [tuple(place for place in span if messages[place].role != "system") for span in spans]
    earlier = tuple(turn for turn in reversed(turns[:-1]) if turn)
    return Turns(messages, frozenset([*system, *turns[-1]]), earlier)
