"""A streamed call in chained words: `client.stream().system("...").user("...").start()`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, Self, TypeVar

from llmtest.errors import ConfigurationError
from llmtest.types import ChatMessage, CompletionRequest, ToolDefinition

__all__ = ["StreamStart"]

S = TypeVar("S")


class StreamStart(Generic[S]):
    """A conversation that is being written, and then asked for as a stream.

    Args:
        start: Asks for it.

    Example:
        >>> def tell(client):
        ...     with client.stream().system("You are helpful.").user("Tell a story").start() as stream:
        ...         return "".join(event.text for event in stream if event.kind == "text")
    """

    def __init__(self, start: Callable[[CompletionRequest], S]) -> None:
        self._start = start
        self._messages: list[ChatMessage] = []
        self._settings: dict[str, Any] = {}

    def system(self, text: str) -> Self:
        """Add a system prompt."""
        return self.message(ChatMessage.system(text))

    def user(self, text: str) -> Self:
        """Add what the user says."""
        return self.message(ChatMessage.user(text))

    def assistant(self, text: str) -> Self:
        """Add what the model said before."""
        return self.message(ChatMessage.assistant(text))

    def message(self, message: ChatMessage) -> Self:
        """Add a message of any kind."""
        self._messages.append(message)
        return self

    def model(self, model: str) -> Self:
        """Name the model; default: the provider's."""
        self._settings["model"] = model
        return self

    def max_tokens(self, max_tokens: int) -> Self:
        """Limit the answer, in tokens; 1 or more."""
        self._settings["max_tokens"] = max_tokens
        return self

    def temperature(self, temperature: float) -> Self:
        """Set the temperature; 0.0 to 2.0."""
        self._settings["temperature"] = temperature
        return self

    def tools(self, *tools: ToolDefinition) -> Self:
        """Offer tools."""
        self._settings["tools"] = tools
        return self

    def start(self) -> S:
        """Ask, and return the stream.

        Raises:
            ConfigurationError: Nothing is said yet, or something cannot be.
        """
        if not self._messages:
            raise ConfigurationError(
                'the stream has no messages yet.\n\nTo fix: client.stream().user("Tell a story").start()'
            )
        return self._start(CompletionRequest(tuple(self._messages), **self._settings))
