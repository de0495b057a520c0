"""What goes along: required things first, then level by level, as long as it fits and says something new. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from llmtest.costs import estimate_request_tokens
from llmtest.errors import ContextLengthExceededError
from llmtest.resilience.assembly._assembled import LeftOut
from llmtest.resilience.assembly._block import Block
from llmtest.resilience.assembly._source import ContextItem
from llmtest.resilience.assembly._turns import Turns
from llmtest.types import ChatMessage, CompletionRequest

__all__ = ["RECENT_TURNS", "Candidate", "Chosen", "Selection"]

RECENT_TURNS = 5
"""Turns that are chosen before anything else but what is required; older ones come last. Caxton's 5 to 10 exchanges."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """An item that may be chosen.

    Args:
        item: The item, with its relevance.
        priority: That of its source.
        is_in_focus: Whether it has a tag of a focus area.
    """

    item: ContextItem
    priority: int
    is_in_focus: bool

    @property
    def rank(self) -> tuple[int, bool, float]:
        """Who is chosen first; equals stay in the order in which they were gathered."""
        return self.priority, not self.is_in_focus, -(self.item.relevance or 0.0)


@dataclass(slots=True)
class Chosen:
    """What was chosen.

    Args:
        places: Places of the messages.
        items: The items, in the order of choice.
        left_out: Those that were not.
        turns_left_out: Earlier turns that were not.
        tokens: Estimated tokens of all.
    """

    places: set[int]
    items: list[ContextItem]
    left_out: list[LeftOut]
    turns_left_out: int
    tokens: int


class Selection:
    """Chooses for one request.

    Args:
        turns: The conversation.
        block: Writes the items.
        limit: Most tokens of the prompt.
        threshold: From which likeness on an item says nothing new.
        alike: How alike two texts are.
        provider: Who will be asked, for the error.
    """

    def __init__(
        self,
        turns: Turns,
        block: Block,
        limit: int,
        threshold: float,
        alike: Callable[[str, str], float],
        provider: str | None,
    ) -> None:
        self._turns = turns
        self._block = block
        self._limit = limit
        self._threshold = threshold
        self._alike = alike
        self._provider = provider

    def choose(self, candidates: Sequence[Candidate], depth: int, left_out: list[LeftOut]) -> Chosen:
        """Return what goes along.

        Args:
            candidates: Items that are relevant.
            depth: Most earlier turns.
            left_out: Items that are out already.

        Raises:
            ContextLengthExceededError: What is required does not fit alone.
        """
        turns = self._turns
        chosen = Chosen(set(turns.required), [], left_out, 0, 0)
        said = [message.text for message in turns.at(turns.required)]
        for candidate in candidates:
            item = candidate.item
            if not item.required:
                continue
            if any(item.line == other.line for other in chosen.items):
                chosen.left_out.append(LeftOut(item, "alike"))
            else:
                chosen.items.append(item)
        conversation = self._conversation(turns.at(turns.required))
        chosen.tokens = conversation + self._block.tokens(chosen.items)
        if chosen.tokens > self._limit:
            raise self._too_much(chosen)
        recent, older = turns.earlier[:depth][:RECENT_TURNS], turns.earlier[:depth][RECENT_TURNS:]
        conversation, taken = self._take(recent, conversation, chosen)
        said += [message.text for turn in recent[:taken] for message in turns.at(turn)]
        for candidate in sorted(candidates, key=lambda each: each.rank):
            if not candidate.item.required:
                self._consider(candidate.item, conversation, chosen, said)
        if taken == len(recent):
            taken += self._take(older, conversation, chosen)[1]
        chosen.turns_left_out = len(turns.earlier) - taken
        return chosen

    def _take(self, turns: Sequence[tuple[int, ...]], conversation: int, chosen: Chosen) -> tuple[int, int]:
        """Choose turns, the latest first, up to the first that does not fit: a conversation has no holes."""
        for number, turn in enumerate(turns):
            more = self._conversation(self._turns.at(turn))
            if chosen.tokens + more > self._limit:
                return conversation, number
            chosen.places.update(turn)
            chosen.tokens += more
            conversation += more
        return conversation, len(turns)

    def _consider(self, item: ContextItem, conversation: int, chosen: Chosen, said: list[str]) -> None:
        others = [text for other in chosen.items for text in (other.text, other.line)]
        if any(self._alike(item.text, text) >= self._threshold for text in (*others, *said)):
            chosen.left_out.append(LeftOut(item, "alike"))
            return
        tokens = conversation + self._block.tokens([*chosen.items, item])
        if tokens > self._limit:
            chosen.left_out.append(LeftOut(item, "no_room"))
            return
        chosen.items.append(item)
        chosen.tokens = tokens

    @staticmethod
    def _conversation(messages: Sequence[ChatMessage]) -> int:
        return estimate_request_tokens(CompletionRequest(messages=tuple(messages))) if messages else 0

    def _too_much(self, chosen: Chosen) -> ContextLengthExceededError:
        required = f" and {len(chosen.items)} required items" if chosen.items else ""
        where = "" if self._provider is None else f" of `{self._provider}`"
        error = ContextLengthExceededError(
            f"the system prompt, the current turn, the tools{required} take about {chosen.tokens} tokens, and the "
            f"context{where} may have {self._limit}.\nTo fix: raise `max_context_tokens`, or require less",
            provider=self._provider,
        )
        error.requested_tokens, error.max_tokens = chosen.tokens, self._limit
        return error
