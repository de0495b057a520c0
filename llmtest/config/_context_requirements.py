"""Files that say which context a tool needs, as Caxton writes them beside its tools."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema, model_validator

from llmtest.config._document import Document, read_document
from llmtest.config._fields import Count, Flag, Positive, Share, Text
from llmtest.config._validation import Section, one_of, said_once, validate
from llmtest.resilience import ContextFormat, ContextRequirements, MemorySearch

__all__ = ["load_context_requirements"]

LAYOUTS = ("list", "line")
DATA_IN_TOOLS = ("function_calling_format", "tool_use_format", "structured_output", "data_in_tools")
OTHER_NAMES = {"tool_context_sources": "tool_data"}


def _layout(value: Any) -> str:
    if value not in LAYOUTS:
        raise ValueError(one_of("layout", value, list(LAYOUTS)))
    return str(value)


Layout = Annotated[str, BeforeValidator(_layout), WithJsonSchema({"enum": list(LAYOUTS)})]


class MemorySearchSection(Section):
    """What is looked for in the memory."""

    query_template: Text | None = None
    """The question, with variables as `{{user_request}}`; by default the last message of the user."""
    max_results: Positive | None = None
    """Most entries; 5 by default."""
    min_similarity: Share | None = None
    """Least relevance of an entry; 0 by default."""
    focus_areas: list[Text] | None = None
    """Entries with one of these tags come before others."""


class FormatSection(Section):
    """How one provider gets the context."""

    max_context_tokens: Positive | None = None
    """Most tokens of the prompt; by default what the window has room for."""
    function_calling_format: Flag | None = None
    """Whether data of the tool stands in its description."""
    tool_use_format: Flag | None = None
    """The same, in the word of another provider."""
    structured_output: Flag | None = None
    """The same, in a third one."""
    data_in_tools: Flag | None = None
    """The same, in ours."""
    layout: Layout | None = None
    """`list` by default: a line for each item; or `line`: one line, for small models."""

    def format(self) -> ContextFormat:
        """Return it as an assembler takes it."""
        return ContextFormat(
            max_context_tokens=self.max_context_tokens,
            data_in_tools=any(getattr(self, word) for word in DATA_IN_TOOLS),
            **({} if self.layout is None else {"layout": self.layout}),  # type: ignore[arg-type]  # it is one of both
        )


class RequirementsSection(Section):
    """What goes along with a request."""

    conversation_depth: Count | None = None
    """Most turns of the conversation before the current one; 10 by default."""
    memory_search: MemorySearchSection | None = None
    """What is looked for in the memory; by default nothing."""
    memory_similarity_threshold: Share | None = None
    """Least relevance of a memory, where nothing else is said of the search."""
    capability_context: Flag | None = None
    """Whether sources of capabilities are asked; false by default."""
    tool_data: list[Text] | None = None
    """Which data of tools is wanted, by name."""
    tool_context_sources: list[Text] | None = None
    """The same, as a request says it."""
    provider_optimization: dict[str, FormatSection] | None = None
    """How a provider gets it, by the provider's name."""

    @model_validator(mode="after")
    def _says_each_thing_once(self) -> RequirementsSection:
        said_once(self, OTHER_NAMES)
        if self.memory_similarity_threshold is not None and self.memory_search is not None:
            raise ValueError("takes `memory_search` or `memory_similarity_threshold`, not both")
        return self


class ContextFileSection(Section):
    """What a tool needs."""

    name: Text | None = None
    """The tool; by default none."""
    description: Text | None = None
    """What the tool is for."""
    context_requirements: RequirementsSection
    """What goes along with its requests."""


def load_context_requirements(
    source: str | Path | Mapping[str, Any], *, environment: Mapping[str, str] | None = None
) -> ContextRequirements:
    """Read which context a tool needs.

    Args:
        source: A file with `context_requirements:`, and `name:` and `description:` of a tool if it is one's: YAML, or
            TOML if it ends in `.toml`. Or the same as a mapping.
        environment: What `${VAR}` in the file reads; None takes the environment of the process.

    Raises:
        ScenarioError: Anything is wrong with it; the text has file, line, the nearest valid thing, the way out.

    Example:
        >>> load_context_requirements({"context_requirements": {"conversation_depth": 3}}).conversation_depth
        3
    """
    if isinstance(source, Mapping):
        document = Document(dict(source))
    else:
        document = read_document(source, environment=environment, least="`context_requirements:`")
    section = validate(ContextFileSection, document)
    needs = said_once(section.context_requirements, OTHER_NAMES)
    threshold = needs.pop("memory_similarity_threshold", None)
    if threshold is not None:
        needs["memory_search"] = MemorySearch(min_similarity=threshold)
    search = needs.get("memory_search")
    if isinstance(search, MemorySearchSection):
        needs["memory_search"] = MemorySearch(**{key: value for key, value in search if value is not None})
    formats = needs.pop("provider_optimization", {})
    return ContextRequirements(
        name=section.name or "",
        description=section.description or "",
        provider_optimization={name: each.format() for name, each in formats.items()},
        **needs,
    )
