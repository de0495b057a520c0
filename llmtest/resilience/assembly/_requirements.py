"""What a tool needs of the context, in Caxton's words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from llmtest.errors import ConfigurationError
from llmtest.types import is_whole

__all__ = ["ContextFormat", "ContextLayout", "ContextRequirements", "MemorySearch"]

ContextLayout = Literal["list", "line"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MemorySearch:
    """What is looked for in the memory, and how much of it is wanted.

    Args:
        query_template: The question; `{{user_request}}` in it stands for the last message of the user, and any other
            name for a variable that is given when a context is assembled.
        max_results: Most entries; 1 or more. Caxton sends the best five where nothing else is said.
        min_similarity: Least relevance of an entry; 0 to 1.
        focus_areas: Entries with one of these tags come before others.

    Raises:
        ConfigurationError: A value is out of its range.
    """

    query_template: str = "{{user_request}}"
    max_results: int = 5
    min_similarity: float = 0.0
    focus_areas: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not is_whole(self.max_results, 1):
            raise _wrong("MemorySearch", "max_results", "a whole number of 1 or more", self.max_results, "5")
        _share("MemorySearch", "min_similarity", self.min_similarity, "0.7")
        object.__setattr__(self, "focus_areas", tuple(self.focus_areas))


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextFormat:
    """How one provider gets the context.

    Args:
        max_context_tokens: Most tokens of the prompt as a whole, as they are estimated; 1 or more. None: as many as
            its window has room for.
        data_in_tools: Whether a tool's data stands in its description; else it is part of the context's text. Caxton
            says `function_calling_format`, `tool_use_format` or `structured_output`, by provider: how the tools
            themselves are written is their API's business, and the same request serves all.
        layout: `list`: the context has a line for each item, below the name of its source; `line`: it is one line
            without names, as Caxton writes it for small models.

    Raises:
        ConfigurationError: A value is out of its range.
    """

    max_context_tokens: int | None = None
    data_in_tools: bool = False
    layout: ContextLayout = "list"

    def __post_init__(self) -> None:
        if self.max_context_tokens is not None and not is_whole(self.max_context_tokens, 1):
            value = self.max_context_tokens
            raise _wrong("ContextFormat", "max_context_tokens", "a whole number of 1 or more", value, "8000")
        if self.layout not in get_args(ContextLayout):
            raise _wrong("ContextFormat", "layout", "`list` or `line`", self.layout, '"line"')


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextRequirements:
    """What goes along with a request, and how much of it.

    Args:
        name: The tool that needs it; empty: no tool.
        description: What the tool is for.
        conversation_depth: Most turns of the conversation before the current one; 0 or more. A turn is a message of the
            user and what follows it.
        memory_search: What is looked for in the memory; None: nothing.
        capability_context: Whether sources of capabilities are asked.
        tool_data: Which data of tools is wanted, by name.
        provider_optimization: How a provider gets it, by the provider's name.

    Raises:
        ConfigurationError: A value is out of its range.

    Example:
        >>> needs = ContextRequirements(
        ...     conversation_depth=3, provider_optimization={"openai": ContextFormat(max_context_tokens=6000)}
        ... )
        >>> needs.format_for("openai").max_context_tokens
        6000
    """

    name: str = ""
    description: str = ""
    conversation_depth: int = 10
    memory_search: MemorySearch | None = None
    capability_context: bool = False
    tool_data: tuple[str, ...] = ()
    provider_optimization: Mapping[str, ContextFormat] = field(default_factory=dict)

    def __post_init__(self) -> None:
        depth = self.conversation_depth
        if not is_whole(depth, 0):
            raise _wrong("ContextRequirements", "conversation_depth", "a whole number of 0 or more", depth, "10")
        object.__setattr__(self, "tool_data", tuple(self.tool_data))

    def format_for(self, provider: str | None) -> ContextFormat:
        """Return how a provider gets the context.

        Args:
            provider: Its name; None: a provider of which nothing is said.
        """
        return self.provider_optimization.get(provider or "", PLAIN)


PLAIN = ContextFormat()


def _share(cls: str, name: str, value: object, example: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise _wrong(cls, name, "a number from 0 to 1", value, example)


def _wrong(cls: str, name: str, what: str, value: object, example: str) -> ConfigurationError:
    return ConfigurationError(f"{cls}: {name} is {what}, got {value!r}.\n\nTo fix: {cls}({name}={example})")
