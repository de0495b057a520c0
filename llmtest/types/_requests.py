"""What is asked of a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from llmtest.errors import ConfigurationError
from llmtest.types._messages import ChatMessage
from llmtest.types._tools import ToolDefinition

__all__ = ["CompletionRequest"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletionRequest:
    """What is asked of a model.

    Args:
        messages: The conversation; at least one message.
        model: Model to use; None takes the provider's default.
        max_tokens: Most tokens to generate; 1 or more.
        temperature: 0.0 to 2.0.
        top_p: 0.0 to 1.0.
        stop_sequences: Texts that end the answer.
        tools: Tools the model may call.
        tool_choice: `auto`, `required`, `none`, or the name of one tool.
        seed: Asks the provider for a repeatable answer.
        stream: Whether the answer comes as a stream; set by the client.
        metadata: Labels for the user's own bookkeeping. Not part of a cache key.
        extra: Further fields of the dialect's body, sent verbatim.
        idempotency_key: Name of the request, for providers that answer a repeated one once. It is no part of what is
            asked: a chain gives one to each call of a provider that has an `idempotency_header`.

    Raises:
        ConfigurationError: No messages, or a number outside its range.
    """

    messages: tuple[ChatMessage, ...]
    model: str | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    stop_sequences: tuple[str, ...] = ()
    tools: tuple[ToolDefinition, ...] = ()
    tool_choice: str | None = None
    seed: int | None = None
    stream: bool = False
    metadata: Mapping[str, str] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)
    idempotency_key: str | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        if type(self.messages) is not tuple:
            object.__setattr__(self, "messages", tuple(self.messages))
        if self.max_tokens is not None and self.max_tokens < 1:
            raise ConfigurationError(f"max_tokens must be 1 or more, got {self.max_tokens}")
        if self.temperature is not None and not 0.0 <= self.temperature <= 2.0:
            raise ConfigurationError(f"temperature must be from 0.0 to 2.0, got {self.temperature}")
        if self.top_p is not None and not 0.0 <= self.top_p <= 1.0:
            raise ConfigurationError(f"top_p must be from 0.0 to 1.0, got {self.top_p}")
        if not self.messages:
            raise ConfigurationError("messages must hold at least one message")

    @classmethod
    def ask(cls, prompt: str, *, system: str | None = None, model: str | None = None) -> CompletionRequest:
        """Make a request of one user prompt, with a system prompt before it if given."""
        user = ChatMessage("user", prompt)
        messages = (user,) if system is None else (ChatMessage("system", system), user)
        return cls(messages=messages, model=model)

    def with_model(self, model: str | None) -> CompletionRequest:
        """Return the same request for another model."""
        return replace(self, model=model)

    def with_max_tokens(self, max_tokens: int) -> CompletionRequest:
        """Return the same request with another limit on the answer."""
        return replace(self, max_tokens=max_tokens)

    def with_temperature(self, temperature: float) -> CompletionRequest:
        """Return the same request with another temperature."""
        return replace(self, temperature=temperature)

    def with_idempotency_key(self, key: str) -> CompletionRequest:
        """Return the same request with a name, so that a provider can tell a repeated one."""
        return replace(self, idempotency_key=key)
