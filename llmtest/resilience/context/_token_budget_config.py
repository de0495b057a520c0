"""How much of the window a conversation may take, and what becomes of the rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from llmtest.costs import BudgetConfig
from llmtest.errors import ConfigurationError
from llmtest.types._spelling import settings_tell_near_arguments

__all__ = ["TokenBudgetConfig"]

USUAL_WINDOW = 8192
"""MoFA's window of a model of which nothing is known."""


@settings_tell_near_arguments
@dataclass(frozen=True, slots=True, kw_only=True)
class TokenBudgetConfig:
    """Make a conversation shorter before it no longer fits; MoFA's words and defaults.

    Before each request its prompt is estimated. From `auto_summarize_threshold` of the window on, what came before the
    recent messages is summed up by the model, or left out. System prompts and the last message of the user always stay,
    and a tool call is never parted from its result.

    Args:
        context_window_tokens: Tokens of the window; 1 or more. None takes the smallest published window of the models
            that may be asked, and 8192 where none is known.
        auto_summarize_threshold: Share of the window from which on a prompt is made shorter; above 0, at most 1.
        keep_recent_on_summarize: How many of the latest messages stay as they are; 0 or more. More stay where a tool
            call would be parted from its result.
        use_llm_summarize: Whether the model sums up what goes; else it is left out, the oldest first.
        halt_on_budget_exceeded: Whether a chat session refuses a call that could pass a limit of `budget`; else the
            trace is told.
        budget: Limits of a chat session's tokens and money; None sets none. A chain has `budget=` of its own.
        summary_max_tokens: Most tokens of a summary; 1 or more.
        summary_model: Which model sums up; None: the one that is asked.
        on_failure: What becomes of a conversation that could not be summed up: `original` sends it as it is,
            `sliding_window` leaves the oldest out.
        max_messages: Most messages that are sent, system prompts aside; 1 or more, the oldest are left out. The current
            turn is sent whole. None: any number.

    Raises:
        ConfigurationError: A value is out of its range.

    Example:
        >>> TokenBudgetConfig.sliding_window_only(16_000).use_llm_summarize
        False
    """

    context_window_tokens: int | None = None
    auto_summarize_threshold: float = 0.8
    keep_recent_on_summarize: int = 4
    use_llm_summarize: bool = True
    halt_on_budget_exceeded: bool = True
    budget: BudgetConfig | None = None
    summary_max_tokens: int = 512
    summary_model: str | None = None
    on_failure: Literal["original", "sliding_window"] = "original"
    max_messages: int | None = None

    def __post_init__(self) -> None:
        _whole("context_window_tokens", self.context_window_tokens, 1, optional=True)
        _whole("keep_recent_on_summarize", self.keep_recent_on_summarize, 0)
        _whole("summary_max_tokens", self.summary_max_tokens, 1)
        _whole("max_messages", self.max_messages, 1, optional=True)
        share = self.auto_summarize_threshold
        if share is True or not isinstance(share, int | float) or not 0 < share <= 1:  # type: ignore[redundant-expr]  # whatever was given
            raise ConfigurationError(
                f"TokenBudgetConfig: auto_summarize_threshold is a share above 0 and at most 1, got {share!r}.\n\n"
                "To fix: TokenBudgetConfig(auto_summarize_threshold=0.8)"
            )
        if self.on_failure not in {"original", "sliding_window"}:
            raise ConfigurationError(
                f"TokenBudgetConfig: on_failure is `original` or `sliding_window`, got {self.on_failure!r}.\n\n"
                'To fix: TokenBudgetConfig(on_failure="sliding_window")'
            )
        if self.budget is not None and not isinstance(self.budget, BudgetConfig):
            raise ConfigurationError(
                f"TokenBudgetConfig: budget is a `BudgetConfig`, got {self.budget!r}.\n\n"
                "To fix: TokenBudgetConfig(budget=BudgetConfig(max_tokens_per_session=50_000))"
            )

    @classmethod
    def sliding_window_only(cls, context_window_tokens: int | None = None) -> TokenBudgetConfig:
        """Return a configuration that leaves out the oldest messages, and sums up nothing.

        Args:
            context_window_tokens: Tokens of the window; None as for the class.
        """
        return cls(context_window_tokens=context_window_tokens, use_llm_summarize=False)

    @classmethod
    def default(cls) -> TokenBudgetConfig:
        """Return the defaults: a summary from 80 % of the window on, no limits."""
        return cls()

    def window(self, published: int | None) -> int:
        """Return the window that counts.

        Args:
            published: The smallest window of the models that may be asked, as far as it is known.
        """
        return self.context_window_tokens or published or USUAL_WINDOW

    def room(self, window: int, max_tokens: int | None) -> int:
        """Return the most tokens that a prompt may have: below the threshold, and with room for the answer.

        Args:
            window: The window that counts.
            max_tokens: What the answer may take; None where the request does not say.
        """
        below = max(1, int(window * self.auto_summarize_threshold) - 1)
        return min(below, max(1, window - (max_tokens or 0)))


def _whole(name: str, value: object, least: int, *, optional: bool = False) -> None:
    if optional and value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ConfigurationError(
            f"TokenBudgetConfig: {name} is a whole number of {least} or more, got {value!r}.\n\n"
            f"To fix: TokenBudgetConfig({name}={max(least, 4)})"
        )
