"""One message of a conversation, by who says it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from llmtest.errors import ConfigurationError
from llmtest.types._parts import ContentPart, TextPart, ToolCall

__all__ = ["ChatMessage", "Role"]


Role = Literal["system", "user", "assistant", "tool"]


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One message of a conversation; use the constructors.

    Example:
        >>> ChatMessage.user("Capital of France?").text
        'Capital of France?'
    """

    role: Role
    content: str | tuple[ContentPart, ...] | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    name: str | None = None
    is_error: bool = False

    @classmethod
    def system(cls, content: str) -> ChatMessage:
        """Make an instruction that precedes the conversation."""
        return cls("system", content)

    @classmethod
    def user(cls, content: str | tuple[ContentPart, ...], *, name: str | None = None) -> ChatMessage:
        """Make a message of the user."""
        return cls("user", content, name=name)

    @classmethod
    def assistant(cls, content: str) -> ChatMessage:
        """Make an answer the model gave earlier."""
        return cls("assistant", content)

    @classmethod
    def assistant_with_tool_calls(cls, content: str | None, tool_calls: tuple[ToolCall, ...]) -> ChatMessage:
        """Make an answer that called tools, with the text beside the calls, if any."""
        return cls("assistant", content, tool_calls=tuple(tool_calls))

    @classmethod
    def tool_result(
        cls, tool_call_id: str, content: str, *others: str, name: str | None = None, is_error: bool = False
    ) -> ChatMessage:
        """Make the result of one tool call.

        Args:
            tool_call_id: Id of the call that it answers.
            content: What the tool returned.
            others: Nothing; a third value by position is refused, since other libraries have the name second.
            name: Name of the tool.
            is_error: Whether the tool failed.

        Raises:
            ConfigurationError: There are more than two values by position.
        """
        if others:
            raise ConfigurationError(
                f"ChatMessage.tool_result takes the id and the content by position, and the tool's name by name; got "
                f"{len(others) + 2} values.\n\n"
                f"To fix: ChatMessage.tool_result({tool_call_id!r}, {others[0]!r}, name={content!r})"
            )
        return cls("tool", content, tool_call_id=tool_call_id, name=name, is_error=is_error)

    @property
    def text(self) -> str:
        """All text of the message, joined."""
        if self.content is None:
            return ""
        if isinstance(self.content, str):
            return self.content
        return "".join(part.text for part in self.content if isinstance(part, TextPart))
