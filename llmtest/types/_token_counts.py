"""How many tokens a prompt has: the question and the answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from llmtest.types._messages import ChatMessage
from llmtest.types._requests import CompletionRequest
from llmtest.types._tools import ToolDefinition

__all__ = ["TokenCountRequest", "TokenCountResult"]


@dataclass(frozen=True, slots=True)
class TokenCountRequest:
    """What is to be counted: the part of a request that is read, without what only shapes the answer.

    Args:
        messages: The conversation, its system prompt included; at least one message.
        model: Whose tokens are counted; None takes the provider's default.
        tools: Tools the model may call, whose definitions are read too.
    """

    messages: Sequence[ChatMessage]
    model: str | None = None
    tools: Sequence[ToolDefinition] = ()

    def as_completion(self) -> CompletionRequest:
        """Return the request that would be counted so.

        Raises:
            ConfigurationError: No messages, or something that is no message.
        """
        return CompletionRequest(self.messages, model=self.model, tools=tuple(self.tools))  # type: ignore[arg-type]  # it makes a tuple of any sequence


@dataclass(frozen=True, slots=True)
class TokenCountResult:
    """How many tokens a prompt has.

    Args:
        input_tokens: The tokens.
        source: `exact`, as the provider counts; `estimated`, where its API counts nothing: one token for every four
            characters, as `count_tokens` has it.
        model: Whose tokens they are.
    """

    input_tokens: int
    source: Literal["exact", "estimated"]
    model: str | None = None

    @property
    def is_exact(self) -> bool:
        """Whether the provider itself counted."""
        return self.source == "exact"
