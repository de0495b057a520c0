"""The schema of the window in a chain file."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema, model_validator

from llmtest.config._fields import Count, Flag, Positive, Share, Text
from llmtest.config._validation import Section, one_of
from llmtest.errors import ConfigurationError
from llmtest.resilience import TokenBudgetConfig

__all__ = ["ContextSection"]

ON_FAILURE = ("original", "sliding_window")


def _on_failure(value: Any) -> str:
    if value not in ON_FAILURE:
        raise ValueError(one_of("choice", value, list(ON_FAILURE)))
    return str(value)


OnFailure = Annotated[str, BeforeValidator(_on_failure), WithJsonSchema({"enum": list(ON_FAILURE)})]


class ContextSection(Section):
    """Make a conversation shorter before it no longer fits into the window."""

    context_window_tokens: Positive | None = None
    """Tokens of the window; by default the smallest published one of the models of the chain, else 8192."""
    auto_summarize_threshold: Share | None = None
    """Share of the window from which on a prompt is made shorter; 0.8 by default."""
    keep_recent_on_summarize: Count | None = None
    """How many of the latest messages stay as they are; 4 by default."""
    use_llm_summarize: Flag | None = None
    """Whether the model sums up what goes; true by default, else the oldest messages are left out."""
    summary_max_tokens: Positive | None = None
    """Most tokens of a summary; 512 by default."""
    summary_model: Text | None = None
    """Which model sums up; the one that is asked by default."""
    on_failure: OnFailure | None = None
    """What becomes of a conversation that could not be summed up: `original` by default, or `sliding_window`."""
    max_messages: Positive | None = None
    """Most messages that are sent, system prompts aside; by default any number."""

    @model_validator(mode="after")
    def _is_possible(self) -> ContextSection:
        try:
            self.config()
        except ConfigurationError as error:
            raise ValueError(str(error).removeprefix("TokenBudgetConfig: ").split("\n", 1)[0].rstrip(".")) from None
        return self

    def config(self) -> TokenBudgetConfig:
        """Return it as the chain takes it."""
        return TokenBudgetConfig(**{key: value for key, value in self if value is not None})
