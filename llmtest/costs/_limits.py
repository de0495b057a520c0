"""The limits people set: by session, task, day and month, in tokens and in money."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Literal

from llmtest.costs._money import EXACT, ZERO, Amount, money, optional_money
from llmtest.errors import BudgetExceededError, ConfigurationError
from llmtest.types._spelling import settings_tell_near_arguments

__all__ = ["BudgetConfig", "CostManagementPolicy", "Kind", "Limit", "Limits", "Scope"]

Scope = Literal["session", "task", "day", "month", "call"]
Kind = Literal["provider", "model", "tenant"]
Unit = Literal["usd", "tokens"]
CENT = Decimal("0.01")
SCOPES: tuple[Scope, ...] = ("call", "task", "session", "day", "month")


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit: at most `amount` of `unit` in each `scope`.

    `halt` tells whether a call that could pass it is refused; `warn_percent` is the share of it that is worth a
    warning, None for none.
    """

    scope: Scope
    unit: Unit
    amount: Decimal
    halt: bool = True
    warn_percent: Decimal | None = None


@settings_tell_near_arguments
@dataclass(frozen=True, slots=True, init=False)
class BudgetConfig:
    """Limits on tokens and money, per session and per UTC day.

    A limit of 0 denies every call that would need any of it (free models cost nothing, and pass a money limit of 0);
    None sets no limit. Spending exactly the limit is allowed.

    Args:
        max_tokens_per_session: Prompt and answer tokens in the life of one `Budget`; 0 or more; None = no limit.
        max_cost_per_session: USD in the life of one `Budget`; 0 or more, `"0.05"` or a Decimal; None = no limit.
        max_tokens_per_day: Tokens in a UTC day of the clock.
        max_cost_per_day: USD in a UTC day of the clock.
        max_tokens_per_month: Tokens in a UTC month of the clock.
        max_cost_per_month: USD in a UTC month of the clock.
        max_tokens_per_task: Tokens in one task; a call without a task is a task of its own, with all its attempts.
        max_cost_per_task: USD in one task.
        max_tokens_per_call: Tokens that one request may need at most, its answer included.
        max_cost_per_call: USD that one request may need at most.
        warn_threshold_percent: Share of every limit, in percent, from which on the trace is told, once; above 0, at
            most 100; None = never.
        halt_on_budget_exceeded: True refuses the call with `BudgetExceededError`; False lets it pass, and tells the
            trace.

    Raises:
        ConfigurationError: A limit is negative, infinite or no number.

    Example:
        >>> BudgetConfig().with_max_tokens_per_session(50_000).with_max_cost_per_day("25.00").max_cost_per_day
        Decimal('25.00')
    """

    max_tokens_per_session: int | None
    max_cost_per_session: Decimal | None
    max_tokens_per_day: int | None
    max_cost_per_day: Decimal | None
    halt_on_budget_exceeded: bool
    max_tokens_per_month: int | None
    max_cost_per_month: Decimal | None
    max_tokens_per_task: int | None
    max_cost_per_task: Decimal | None
    max_tokens_per_call: int | None
    max_cost_per_call: Decimal | None
    warn_threshold_percent: Decimal | None

    def __init__(
        self,
        *,
        max_tokens_per_session: int | None = None,
        max_cost_per_session: Amount | None = None,
        max_tokens_per_day: int | None = None,
        max_cost_per_day: Amount | None = None,
        halt_on_budget_exceeded: bool = True,
        max_tokens_per_month: int | None = None,
        max_cost_per_month: Amount | None = None,
        max_tokens_per_task: int | None = None,
        max_cost_per_task: Amount | None = None,
        max_tokens_per_call: int | None = None,
        max_cost_per_call: Amount | None = None,
        warn_threshold_percent: Amount | None = None,
    ) -> None:
        write = object.__setattr__
        write(self, "max_tokens_per_month", _tokens(max_tokens_per_month, "max_tokens_per_month"))
        write(self, "max_cost_per_month", optional_money(max_cost_per_month, "max_cost_per_month"))
        write(self, "max_tokens_per_task", _tokens(max_tokens_per_task, "max_tokens_per_task"))
        write(self, "max_cost_per_task", optional_money(max_cost_per_task, "max_cost_per_task"))
        write(self, "max_tokens_per_call", _tokens(max_tokens_per_call, "max_tokens_per_call"))
        write(self, "max_cost_per_call", optional_money(max_cost_per_call, "max_cost_per_call"))
        write(self, "warn_threshold_percent", _percent(warn_threshold_percent))
        write(self, "max_tokens_per_session", _tokens(max_tokens_per_session, "max_tokens_per_session"))
        write(self, "max_cost_per_session", optional_money(max_cost_per_session, "max_cost_per_session"))
        write(self, "max_tokens_per_day", _tokens(max_tokens_per_day, "max_tokens_per_day"))
        write(self, "max_cost_per_day", optional_money(max_cost_per_day, "max_cost_per_day"))
        write(self, "halt_on_budget_exceeded", _flag(halt_on_budget_exceeded, "halt_on_budget_exceeded"))

    def with_max_tokens_per_session(self, tokens: int) -> BudgetConfig:
        """Return the same limits with another number of tokens per session."""
        return replace(self, max_tokens_per_session=tokens)

    def with_max_cost_per_session(self, usd: Amount) -> BudgetConfig:
        """Return the same limits with another amount of USD per session."""
        return replace(self, max_cost_per_session=money(usd, "max_cost_per_session"))

    def with_max_tokens_per_day(self, tokens: int) -> BudgetConfig:
        """Return the same limits with another number of tokens per UTC day."""
        return replace(self, max_tokens_per_day=tokens)

    def with_max_cost_per_day(self, usd: Amount) -> BudgetConfig:
        """Return the same limits with another amount of USD per UTC day."""
        return replace(self, max_cost_per_day=money(usd, "max_cost_per_day"))

    def with_max_tokens_per_month(self, tokens: int) -> BudgetConfig:
        """Return the same limits with another number of tokens per UTC month."""
        return replace(self, max_tokens_per_month=tokens)

    def with_max_cost_per_month(self, usd: Amount) -> BudgetConfig:
        """Return the same limits with another amount of USD per UTC month."""
        return replace(self, max_cost_per_month=money(usd, "max_cost_per_month"))

    def with_max_tokens_per_task(self, tokens: int) -> BudgetConfig:
        """Return the same limits with another number of tokens per task."""
        return replace(self, max_tokens_per_task=tokens)

    def with_max_cost_per_task(self, usd: Amount) -> BudgetConfig:
        """Return the same limits with another amount of USD per task."""
        return replace(self, max_cost_per_task=money(usd, "max_cost_per_task"))

    def with_max_tokens_per_call(self, tokens: int) -> BudgetConfig:
        """Return the same limits with another number of tokens per request."""
        return replace(self, max_tokens_per_call=tokens)

    def with_max_cost_per_call(self, usd: Amount) -> BudgetConfig:
        """Return the same limits with another amount of USD per request."""
        return replace(self, max_cost_per_call=money(usd, "max_cost_per_call"))

    def with_halt_on_budget_exceeded(self, halt: bool) -> BudgetConfig:
        """Return the same limits that refuse calls (True) or only tell the trace (False)."""
        return replace(self, halt_on_budget_exceeded=halt)

    def limits(self) -> Iterator[Limit]:
        """Return the limits that are set."""
        halt, percent = self.halt_on_budget_exceeded, self.warn_threshold_percent
        for scope in SCOPES:
            tokens, usd = getattr(self, f"max_tokens_per_{scope}"), getattr(self, f"max_cost_per_{scope}")
            if tokens is not None:
                yield Limit(scope, "tokens", Decimal(tokens), halt, percent)
            if usd is not None:
                yield Limit(scope, "usd", usd, halt, percent)


@dataclass(frozen=True, slots=True, init=False)
class CostManagementPolicy:
    """Limits on money per task, UTC day and month, with a warning before they are reached.

    Every limit is enforced. Each is given in cents or in USD, not in both; a cent is a hundredth of a dollar, and
    fractions of it count.

    Args:
        daily_limit_cents: Cents in a UTC day of the clock; 0 denies, None = no limit.
        monthly_limit_cents: Cents in a UTC month of the clock.
        per_task_limit_cents: Cents in one task; a call without a task is a task of its own, with all its attempts.
        daily_limit_usd: The same in USD.
        monthly_limit_usd: The same in USD.
        per_task_limit_usd: The same in USD.
        warn_threshold_percent: Share of a limit, in percent, from which on the trace is told, once; above 0, at most
            100, default 80; None = never.
        halt_on_budget_exceeded: True refuses the call with `BudgetExceededError`; False lets it pass, and tells the
            trace.

    Raises:
        ConfigurationError: A limit is negative, infinite, no number, or given twice.

    Example:
        >>> CostManagementPolicy(daily_limit_cents=2_500).daily_limit_usd
        Decimal('25.00')
    """

    daily_limit_usd: Decimal | None
    monthly_limit_usd: Decimal | None
    per_task_limit_usd: Decimal | None
    warn_threshold_percent: Decimal | None
    halt_on_budget_exceeded: bool

    def __init__(
        self,
        *,
        daily_limit_cents: Amount | None = None,
        monthly_limit_cents: Amount | None = None,
        per_task_limit_cents: Amount | None = None,
        daily_limit_usd: Amount | None = None,
        monthly_limit_usd: Amount | None = None,
        per_task_limit_usd: Amount | None = None,
        warn_threshold_percent: Amount | None = 80,
        halt_on_budget_exceeded: bool = True,
    ) -> None:
        write = object.__setattr__
        write(self, "daily_limit_usd", _either(daily_limit_cents, daily_limit_usd, "daily_limit"))
        write(self, "monthly_limit_usd", _either(monthly_limit_cents, monthly_limit_usd, "monthly_limit"))
        write(self, "per_task_limit_usd", _either(per_task_limit_cents, per_task_limit_usd, "per_task_limit"))
        write(self, "halt_on_budget_exceeded", _flag(halt_on_budget_exceeded, "halt_on_budget_exceeded"))
        write(self, "warn_threshold_percent", _percent(warn_threshold_percent))

    def check_budget(self, current: Amount, new: Amount) -> None:
        """Raise where a new cost would pass the daily limit; of a policy alone, without an account.

        This is VAPORA's check. It sees what it is told and nothing that happens at the same time, which a `Budget`
        does.

        Args:
            current: Cents that were spent today.
            new: Cents that the next call may cost.

        Raises:
            BudgetExceededError: It would; `in_words_of("vapora")` is VAPORA's text.
        """
        limit = self.daily_limit_usd
        spent, asked = (EXACT.multiply(money(each, name), CENT) for each, name in ((current, "current"), (new, "new")))
        if limit is not None and EXACT.add(spent, asked) > limit:
            raise BudgetExceededError(scope="day", unit="usd", limit=limit, spent=spent, reserved=ZERO, requested=asked)

    def limits(self) -> Iterator[Limit]:
        """Return the limits that are set."""
        halt, percent = self.halt_on_budget_exceeded, self.warn_threshold_percent
        if self.per_task_limit_usd is not None:
            yield Limit("task", "usd", self.per_task_limit_usd, halt, percent)
        if self.daily_limit_usd is not None:
            yield Limit("day", "usd", self.daily_limit_usd, halt, percent)
        if self.monthly_limit_usd is not None:
            yield Limit("month", "usd", self.monthly_limit_usd, halt, percent)


Limits = BudgetConfig | CostManagementPolicy
"""Limits of which a budget is made."""


def _tokens(value: object, name: str) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ConfigurationError(
            f"`{name}` must be a whole number of 0 or more, got {value!r} (0 denies every call, None sets no limit)"
        )
    money(value, name)  # Its size.
    return value


def _percent(value: Amount | None) -> Decimal | None:
    percent = optional_money(value, "warn_threshold_percent")
    if percent is not None and not 0 < percent <= 100:
        raise ConfigurationError(f"`warn_threshold_percent` must be above 0 and at most 100, got {percent}")
    return percent


def _flag(value: object, name: str) -> bool:
    if not isinstance(value, bool):
        raise ConfigurationError(f"`{name}` must be True or False, got {value!r}")
    return value


def _either(cents: Amount | None, usd: Amount | None, name: str) -> Decimal | None:
    if cents is not None and usd is not None:
        raise ConfigurationError(f"`{name}_cents` and `{name}_usd` set the same limit. To fix: give one of them")
    if cents is not None:
        return EXACT.multiply(money(cents, f"{name}_cents"), CENT)
    return optional_money(usd, f"{name}_usd")
