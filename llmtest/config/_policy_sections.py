"""The schema of the policies in a chain file: retry, timeouts, budget."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, WithJsonSchema, model_validator

from llmtest.config._fields import Count, Flag, Money, Percent, Positive, Real, Seconds, Share
from llmtest.config._validation import Section, one_of

__all__ = [
    "BudgetSection",
    "RetryBudgetSection",
    "RetrySection",
    "TimeoutsSection",
]

UNKNOWN_PRICE = ("error", "warn")


class RetryBudgetSection(Section):
    """A limit on retries as a share of all calls."""

    ratio: Share = 0.2
    """Retries that each call pays for."""
    reserve: Count = 10
    """Retries that are there from the start."""


class RetrySection(Section):
    """Ask the same provider again after a failure that may pass."""

    max_attempts: Positive | None = None
    """Requests to one provider, the first included; 3 by default, 1 never retries."""
    max_retries: Count | None = None
    """The same, not counting the first."""
    base_delay: Seconds | None = None
    """Longest wait before the first retry; 1s by default."""
    multiplier: Real | None = None
    """How the longest wait grows; 2 by default."""
    max_delay: Seconds | None = None
    """Longest wait of all; 10s by default. A longer Retry-After is obeyed nevertheless."""
    jitter: Flag | None = None
    """Whether waits are drawn; true by default."""
    max_retry_after: Seconds | None = None
    """Longest Retry-After that is waited for; 60s by default."""
    max_timeout_retries: Count | None = None
    """Retries after a timeout, of all that are allowed; 1 by default."""
    budget: RetryBudgetSection | None = None
    """A limit on retries as a share of all calls."""

    @model_validator(mode="after")
    def _say_it_once(self) -> RetrySection:
        if self.max_attempts is not None and self.max_retries is not None:
            raise ValueError("takes `max_attempts` or `max_retries`, not both")
        return self


class TimeoutsSection(Section):
    """Limits of each attempt, and one deadline over all of them."""

    connect: Seconds | None = None
    """Until the connection stands; 10s by default."""
    first_token: Seconds | None = None
    """Until the first piece of the answer."""
    read: Seconds | None = None
    """Longest silence between two pieces; 60s by default."""
    total: Seconds | None = None
    """One attempt; 120s by default."""
    deadline: Seconds | None = None
    """The whole call, every retry and fallback included."""


def _unknown_price(value: Any) -> str:
    if value not in UNKNOWN_PRICE:
        raise ValueError(one_of("choice", value, list(UNKNOWN_PRICE)))
    return str(value)


UnknownPrice = Annotated[
    Literal["error", "warn"], BeforeValidator(_unknown_price), WithJsonSchema({"enum": list(UNKNOWN_PRICE)})
]


class BudgetSection(Section):
    """Limits on tokens and money."""

    max_tokens_per_session: Count | None = None
    """Tokens in one run."""
    max_cost_per_session: Money | None = None
    """USD in one run."""
    max_tokens_per_day: Count | None = None
    """Tokens in a UTC day."""
    max_cost_per_day: Money | None = None
    """USD in a UTC day."""
    max_cost_per_month: Money | None = None
    """USD in a UTC month."""
    max_cost_per_task: Money | None = None
    """USD in one task; a call without a task is a task of its own."""
    warn_threshold_percent: Percent | None = None
    """Share of a limit in USD per day, month or task from which on the trace is told, in percent."""
    halt_on_budget_exceeded: Flag = True
    """Whether a call that could pass a limit is refused."""
    on_unknown_price: UnknownPrice = "error"
    """What becomes of a call without a known price where USD are limited: `error` refuses it, `warn` only tells."""
