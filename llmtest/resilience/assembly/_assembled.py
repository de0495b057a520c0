"""What came of assembling a context."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from llmtest.resilience.assembly._source import ContextItem
from llmtest.types import ChatMessage, CompletionRequest

__all__ = ["AssembledContext", "ContextMetadata", "LeftCause", "LeftOut"]

LeftCause = Literal["irrelevant", "surplus", "alike", "no_room"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextMetadata:
    """Numbers of one assembly, in Caxton's words.

    Args:
        preparation_time_ms: How long it took, in milliseconds of the active clock; not part of equality.
        total_context_tokens: Tokens of the prompt as a whole, as they are estimated.
        token_utilization_rate: Which share of the budget that is; 0 to 1.
        context_sources_used: Sources of which something is in the prompt; `conversation` for earlier turns.
        max_context_tokens: The budget.
    """

    preparation_time_ms: float = field(compare=False)
    total_context_tokens: int
    token_utilization_rate: float
    context_sources_used: tuple[str, ...]
    max_context_tokens: int


@dataclass(frozen=True, slots=True)
class LeftOut:
    """An item that does not go along.

    Args:
        item: The item.
        cause: `irrelevant`: below `min_similarity`; `surplus`: beyond `max_results`; `alike`: what it says is there
            already; `no_room`: it does not fit into the budget.
    """

    item: ContextItem
    cause: LeftCause


@dataclass(frozen=True, slots=True, kw_only=True)
class AssembledContext:
    """A request with its context.

    Args:
        request: What is sent; every provider's API gets it in its own form.
        query: What was looked for.
        items: What goes along, in the order in which it was chosen, each with its relevance.
        left_out: What does not.
        turns_left_out: Earlier turns of the conversation that do not go along.
        missing: Names of `tool_data` that no source had.
        failed: Errors of sources that were skipped, by name.
        metadata: Its numbers.
    """

    request: CompletionRequest
    query: str
    items: tuple[ContextItem, ...]
    left_out: tuple[LeftOut, ...]
    turns_left_out: int
    missing: tuple[str, ...]
    failed: Mapping[str, Exception] = field(default_factory=dict)
    metadata: ContextMetadata

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain data, with the keys that Caxton's agents read."""
        groups: dict[str, list[dict[str, Any]]] = {}
        for item in self.items:
            entity = {"name": item.title, "similarity": item.relevance, "observations": [item.text]}
            groups.setdefault(item.source, []).append(entity)
        numbers = self.metadata
        return {
            "conversation_history": [_said(message) for message in self.request.messages if message.role != "system"],
            "memory_context": {"search_query": self.query, "relevant_entities": groups.pop("memory", [])},
            "other_context": groups,
            "available_tools": [
                {"name": tool.name, "description": tool.description or ""} for tool in self.request.tools
            ],
            "context_metadata": {
                "preparation_time_ms": numbers.preparation_time_ms,
                "total_context_tokens": numbers.total_context_tokens,
                "token_utilization_rate": numbers.token_utilization_rate,
                "context_sources_used": list(numbers.context_sources_used),
            },
        }


def _said(message: ChatMessage) -> dict[str, str]:
    return {"role": message.role, "content": message.text}
