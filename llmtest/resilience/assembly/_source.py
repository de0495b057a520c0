"""Where context comes from: anything that is asked with a need and answers with items, blocking or not."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

from llmtest.errors import ConfigurationError
from llmtest.resilience.assembly._requirements import ContextRequirements
from llmtest.types import CompletionRequest

__all__ = ["Answered", "AskedBy", "ContextItem", "ContextNeed", "ContextSource", "Gather"]

AskedBy = Literal["always", "memory_search", "capability_context", "tool_data"]
TOOL_DATA, MEMORY, CAPABILITIES = 10, 20, 30


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextItem:
    """One thing that may go along with a request.

    Args:
        text: What it says.
        title: What it is about; stands before the text.
        relevance: How much it has to do with the request, 0 to 1, where its source knows, such as the similarity that a
            vector database tells; None: it is scored.
        required: Whether the request makes no sense without it: it goes along whatever its relevance.
        tags: Areas that it belongs to, for `focus_areas`.
        source: Name of its source; set when it is gathered.

    Raises:
        ConfigurationError: There is no text, or the relevance is no number from 0 to 1.
    """

    text: str
    title: str = ""
    relevance: float | None = None
    required: bool = False
    tags: tuple[str, ...] = ()
    source: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.text, str) or not self.text.strip():  # type: ignore[redundant-expr]  # whatever was given
            raise ConfigurationError(
                f"ContextItem: text is a text with a letter at least, got {self.text!r}.\n\n"
                'To fix: ContextItem(text="Users prefer charts")'
            )
        if self.relevance is not None and not 0 <= self.relevance <= 1:
            raise ConfigurationError(
                f"ContextItem: relevance is a number from 0 to 1, got {self.relevance!r}.\n\n"
                'To fix: ContextItem(text="Users prefer charts", relevance=0.9)'
            )
        object.__setattr__(self, "tags", tuple(self.tags))

    @property
    def line(self) -> str:
        """How it stands in a prompt: on one line, with its title."""
        text = " ".join(self.text.split())
        title = " ".join(self.title.split())
        return f"{title}: {text}" if title else text


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextNeed:
    """What a source is asked for.

    Args:
        request: The request that context is gathered for.
        query: What is looked for: `query_template` filled in, or the last message of the user.
        requirements: What is needed at all.
        provider: Who will be asked; None where it is not known.
    """

    request: CompletionRequest
    query: str
    requirements: ContextRequirements
    provider: str | None


Answered = Iterable[ContextItem | str]
Gather = Callable[[ContextNeed], Answered | Awaitable[Answered]]


@dataclass(frozen=True, slots=True)
class ContextSource:
    """One place that context comes from.

    Args:
        name: Its name; stands above its items in the prompt.
        gather: Answers a need with items, or texts. A coroutine function serves event loops alone.
        priority: When its items are chosen: lower numbers first, then by relevance. Conversation comes before 0 and,
            beyond its latest five turns, after everything else.
        asked_by: Which requirement asks it: a source of memories is asked where `memory_search` is said, and its items
            are held to `max_results` and `min_similarity`; `always`: with every request.

    Example:
        >>> source = ContextSource("wiki", lambda need: [f"An entry about {need.query}"])
    """

    name: str
    gather: Gather
    priority: int = MEMORY
    asked_by: AskedBy = "always"

    @classmethod
    def memory(cls, entries: Iterable[ContextItem | str | Mapping[str, Any]], name: str = "memory") -> Self:
        """Return a source of memories that are held in a list.

        Args:
            entries: Items, texts, or Caxton's entities: `name`, `observations`, and a `similarity` where it is known.
            name: Its name.
        """
        items = tuple(map(_memory, entries))
        return cls(name, lambda _need: items, MEMORY, "memory_search")

    @classmethod
    def tools(cls, data: Mapping[str, Any], name: str = "tool_data") -> Self:
        """Return a source of data of tools, of which those are sent that are asked for by name.

        Args:
            data: Texts, or anything that JSON can say, by name.
            name: Its name.
        """

        def gather(need: ContextNeed) -> list[ContextItem]:
            wanted = need.requirements.tool_data
            return [ContextItem(text=_said(data[each]), title=each, relevance=1.0) for each in wanted if each in data]

        return cls(name, gather, TOOL_DATA, "tool_data")

    @classmethod
    def capabilities(cls, data: Mapping[str, Any], name: str = "capabilities") -> Self:
        """Return a source of what agents can do.

        Args:
            data: Texts, or anything that JSON can say, by name.
            name: Its name.
        """
        items = tuple(ContextItem(text=_said(value), title=each) for each, value in data.items())
        return cls(name, lambda _need: items, CAPABILITIES, "capability_context")

    def is_asked(self, requirements: ContextRequirements) -> bool:
        """Tell whether requirements ask this source."""
        return self.asked_by == "always" or bool(getattr(requirements, self.asked_by))


def _memory(entry: ContextItem | str | Mapping[str, Any]) -> ContextItem:
    if isinstance(entry, ContextItem):
        return entry
    if isinstance(entry, str):
        return ContextItem(text=entry)
    observations = entry.get("observations", ())
    text = observations if isinstance(observations, str) else "; ".join(map(str, observations))
    return ContextItem(
        text=text,
        title=str(entry.get("name", "")),
        relevance=entry.get("similarity"),
        tags=tuple(entry.get("tags", ())),
    )


def _said(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
