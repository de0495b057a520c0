"""The schema of timeouts and budgets in a chain file."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, WithJsonSchema, model_validator

from llmtest.config._fields import Count, Flag, Milliseconds, Money, Percent, Real, Seconds
from llmtest.config._validation import Section, one_of, said_once
from llmtest.errors import ConfigurationError
from llmtest.resilience import TimeoutConfig

__all__ = [
    "BudgetSection",
    "TimeoutsSection",
]

IN_MS = {f"{name}_ms": name for name in ("connect", "first_token", "read", "total", "deadline")}
UNKNOWN_PRICE = ("error", "warn")


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
    connect_ms: Milliseconds | None = None
    """`connect` in milliseconds, as with the others."""
    first_token_ms: Milliseconds | None = None
    """The same of `first_token`."""
    read_ms: Milliseconds | None = None
    """The same of `read`."""
    total_ms: Milliseconds | None = None
    """The same of `total`."""
    deadline_ms: Milliseconds | None = None
    """The same of `deadline`."""
    min_tokens_per_second: Real | None = None
    """Least tokens a second that a stream has to bring after its first piece, at four characters a token."""
    min_characters_per_second: Real | None = None
    """The same in characters, instead."""
    throughput_window: Seconds | None = None
    """Time that the speed is taken over; 10s by default."""

    @model_validator(mode="after")
    def _agree(self) -> TimeoutsSection:
        try:
            self.config()
        except ConfigurationError as error:
            raise ValueError(str(error)) from None
        return self

    def config(self) -> TimeoutConfig:
        """Return the limits; what is `null` sets none."""
        absent = {key: None for key in self.model_fields_set if getattr(self, key) is None and key not in IN_MS}
        return TimeoutConfig(**{**absent, **said_once(self, IN_MS)})


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
    max_tokens_per_month: Count | None = None
    """Tokens in a UTC month."""
    max_tokens_per_task: Count | None = None
    """Tokens in one task."""
    max_tokens_per_call: Count | None = None
    """Tokens that one request may need at most, its answer included."""
    max_cost_per_call: Money | None = None
    """USD that one request may need at most."""
    warn_threshold_percent: Percent | None = None
    """Share of a limit in USD per day, month or task from which on the trace is told, in percent."""
    halt_on_budget_exceeded: Flag = True
    """Whether a call that could pass a limit is refused."""
    on_unknown_price: UnknownPrice = "error"
    """What becomes of a call without a known price where USD are limited: `error` refuses it, `warn` only tells."""
