"""The context as part of a request: a system message of its own, and the descriptions of tools. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from llmtest.costs import estimate_request_tokens
from llmtest.resilience.assembly._requirements import ContextFormat, ContextRequirements
from llmtest.resilience.assembly._source import ContextItem
from llmtest.types import ChatMessage, CompletionRequest, ToolDefinition

__all__ = ["MARK", "Block", "without_context"]

MARK = "[Context]"
"""How a context begins. By it one that was assembled before is known, and replaced."""
IN_TOOL = f"\n{MARK} "


def without_context(request: CompletionRequest) -> CompletionRequest:
    """Return a request without the context that was assembled for it before; the same one where there is none."""
    messages = tuple(message for message in request.messages if not _is_context(message))
    tools = tuple(_without(tool) for tool in request.tools)
    if len(messages) == len(request.messages) and tools == request.tools:
        return request
    return replace(request, messages=messages, tools=tools)


def _is_context(message: ChatMessage) -> bool:
    return message.role == "system" and isinstance(message.content, str) and message.content.startswith(MARK)


def _without(tool: ToolDefinition) -> ToolDefinition:
    before, mark, _ = (tool.description or "").partition(IN_TOOL)
    return replace(tool, description=before or None) if mark else tool


class Block:
    """Writes items into a request.

    Args:
        request: The request, without context.
        requirements: Whose tool has data.
        form: How the provider gets it.
        sources: Names of the sources, in their order.
        tool_data: Names of those that have data of tools.
    """

    def __init__(
        self,
        request: CompletionRequest,
        requirements: ContextRequirements,
        form: ContextFormat,
        sources: Sequence[str],
        tool_data: frozenset[str],
    ) -> None:
        has_tool = any(tool.name == requirements.name for tool in request.tools)
        self._tool = requirements.name if form.data_in_tools and has_tool else None
        self._tools = request.tools
        self._layout = form.layout
        self._sources = sources
        self._tool_data = tool_data if self._tool is not None else frozenset()

    def tokens(self, items: Sequence[ContextItem]) -> int:
        """Return the estimated tokens of the tools, and of the context."""
        message = self.message(items)
        beside = CompletionRequest(messages=(message or NOTHING,), tools=self.tools(items))
        return estimate_request_tokens(beside) - (estimate_request_tokens(EMPTY) if message is None else 0)

    def message(self, items: Sequence[ContextItem]) -> ChatMessage | None:
        """Return the context as a message; None where there is none."""
        groups = [
            (source, [item.line for item in items if item.source == source])
            for source in self._sources
            if source not in self._tool_data
        ]
        groups = [(source, lines) for source, lines in groups if lines]
        if not groups:
            return None
        if self._layout == "line":
            return ChatMessage.system(f"{MARK} " + "; ".join(line for _, lines in groups for line in lines))
        listed = "\n".join(f"{source}:\n" + "\n".join(f"- {line}" for line in lines) for source, lines in groups)
        return ChatMessage.system(f"{MARK}\n{listed}")

    def tools(self, items: Sequence[ContextItem]) -> tuple[ToolDefinition, ...]:
        """Return the tools, with their data where it belongs there."""
        data = "; ".join(item.line for item in items if item.source in self._tool_data)
        if not data:
            return self._tools
        return tuple(
            replace(tool, description=f"{tool.description or ''}{IN_TOOL}{data}") if tool.name == self._tool else tool
            for tool in self._tools
        )


NOTHING = ChatMessage.system("")
EMPTY = CompletionRequest(messages=(NOTHING,))
