"""An agent built step by step, in MoFA's words; who answers may come from the environment."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Self

from llmtest.errors import ConfigurationError
from llmtest.providers import OpenAIProvider
from llmtest.resilience import AsyncLLMAgent, AsyncLLMClient, LLMAgent, LLMClient, TokenBudgetConfig
from llmtest.types import Provider

__all__ = ["LLMAgentBuilder"]


class LLMAgentBuilder:
    """Collects what an agent is; every method but `build` and `build_async` returns the builder.

    Example:
        >>> from llmtest import OpenAIProvider, TokenBudgetConfig
        >>> builder = LLMAgentBuilder().with_provider(OpenAIProvider("sk-...")).with_id("my-agent")
        >>> builder.with_token_budget_config(TokenBudgetConfig.sliding_window_only(8192)).build().id
        'my-agent'
    """

    def __init__(self) -> None:
        self._provider: Provider | LLMClient | AsyncLLMClient | None = None
        self._is_of_environment = False
        self._settings: dict[str, Any] = {}
        self._config: TokenBudgetConfig | None = None
        self._sliding_window: int | None = None

    @classmethod
    def from_env(cls) -> Self:
        """Return a builder that asks OpenAI, or what speaks as it does, where no provider is given.

        `build` then reads `OPENAI_API_KEY`, `OPENAI_MODEL` and `OPENAI_BASE_URL`.
        """
        builder = cls()
        builder._is_of_environment = True
        return builder

    def with_provider(self, provider: Provider | LLMClient | AsyncLLMClient) -> Self:
        """Say who answers: a provider, a chain, or a client of one."""
        self._provider = provider
        return self

    def with_id(self, agent_id: str) -> Self:
        """Name the agent; by default it is `agent`.

        Raises:
            ConfigurationError: It is no text, or empty.
        """
        if not isinstance(agent_id, str) or not agent_id.strip():  # type: ignore[redundant-expr]  # whatever was given
            raise ConfigurationError(
                f"the id of an agent is a text with a letter at least, got {agent_id!r}.\n\n"
                'To fix: builder.with_id("my-agent")'
            )
        return self._set("id", agent_id)

    def with_token_budget_config(self, config: TokenBudgetConfig) -> Self:
        """Say how conversations are kept inside the window, and what they may take together.

        Raises:
            ConfigurationError: It is no `TokenBudgetConfig`, which has checked its own values.
        """
        if not isinstance(config, TokenBudgetConfig):
            raise ConfigurationError(
                f"with_token_budget_config takes a `TokenBudgetConfig`, got {config!r}.\n\n"
                "To fix: builder.with_token_budget_config(TokenBudgetConfig(context_window_tokens=8192))"
            )
        self._config = config
        return self

    def with_sliding_window(self, messages: int) -> Self:
        """Send the latest messages of a conversation alone.

        Args:
            messages: Most messages, system prompts aside; 1 or more. The current turn is sent whole, and a tool call
                is never parted from its result.

        Raises:
            ConfigurationError: It is no whole number, or less than 1.
        """
        if isinstance(messages, bool) or not isinstance(messages, int) or messages < 1:  # type: ignore[redundant-expr]  # whatever was given
            raise ConfigurationError(
                f"with_sliding_window takes a whole number of messages, 1 or more, got {messages!r}.\n\n"
                "To fix: builder.with_sliding_window(10)"
            )
        self._sliding_window = messages
        return self

    def with_system_prompt(self, text: str) -> Self:
        """Say what every conversation begins with."""
        return self._set("system", text)

    def with_model(self, model: str) -> Self:
        """Name the model; default: the provider's."""
        return self._set("model", model)

    def with_max_tokens(self, max_tokens: int) -> Self:
        """Limit each answer, in tokens; 1 or more."""
        return self._set("max_tokens", max_tokens)

    def with_temperature(self, temperature: float) -> Self:
        """Set the temperature; 0.0 to 2.0."""
        return self._set("temperature", temperature)

    def with_event_handler(self, handler: object) -> Self:
        """Let an object hear what is said: any of `before_chat`, `after_chat` and `after_chat_with_metadata`."""
        return self._set("event_handler", handler)

    def _set(self, setting: str, value: object) -> Self:
        self._settings[setting] = value
        return self

    def _made_of(self) -> dict[str, Any]:
        provider = self._provider
        if provider is None and self._is_of_environment:
            provider = OpenAIProvider.from_env()
        if provider is None:
            raise ConfigurationError(
                "the agent has nobody who answers.\n\n"
                "To fix: builder.with_provider(provider), or begin with `LLMAgentBuilder.from_env`"
            )
        config = self._config
        if self._sliding_window is not None:
            config = replace(config or TokenBudgetConfig.sliding_window_only(), max_messages=self._sliding_window)
        return {"provider": provider, "config": config, **self._settings}

    def build(self) -> LLMAgent:
        """Make an agent for blocking code.

        Raises:
            ConfigurationError: Nobody answers, the environment has no key, or something said is not possible.
        """
        return LLMAgent(**self._made_of())

    async def build_async(self) -> AsyncLLMAgent:
        """Make an agent for event loops; see `build`."""
        return AsyncLLMAgent(**self._made_of())
