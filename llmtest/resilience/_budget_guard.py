"""The budget of a chain: what it is given as one, and how it guards every attempt."""

from __future__ import annotations

from inspect import signature
from typing import TYPE_CHECKING, Any, Protocol

from llmtest.costs import Budget, BudgetConfig, CostManagementPolicy
from llmtest.errors import ConfigurationError

if TYPE_CHECKING:
    from llmtest.costs import Prices
    from llmtest.resilience.pipeline._running_attempt import Permit, RunningAttempt
    from llmtest.types import CompletionRequest

__all__ = ["BudgetGuard", "Limits", "SpendGuard", "budget_of"]

Limits = BudgetConfig | CostManagementPolicy
"""Limits of which a chain makes a budget of its own."""


class SpendGuard(Protocol):
    """Something that may refuse to spend; `llmtest.costs.Budget` is one."""

    def reserve(self, estimate: CompletionRequest, *, provider: str | None = None, model: str | None = None) -> Permit:
        """Set aside what an attempt may cost, or refuse it.

        Raises:
            BudgetExceededError: It could pass a limit.
        """
        ...


def budget_of(budget: SpendGuard | Limits | None, prices: Prices | None) -> SpendGuard | None:
    """Return what may refuse to spend.

    Raises:
        ConfigurationError: It is neither a budget nor limits.
    """
    if isinstance(budget, Limits):
        return Budget(budget, prices=prices)
    if budget is not None and (isinstance(budget, type) or not hasattr(budget, "reserve")):
        raise ConfigurationError(
            f"a chain's `budget` is a `Budget`, a `BudgetConfig` or a `CostManagementPolicy`, not {budget!r}.\n"
            'To fix: budget=BudgetConfig(max_cost_per_day="25.00")'
        )
    return budget


class BudgetGuard:
    """A budget as the guard of attempts: each sets aside what it may cost at most, and is charged what it did cost.

    Args:
        budget: The budget.
    """

    __slots__ = ("_budget", "_takes_purpose", "prices")

    kind = "budget"

    def __init__(self, budget: SpendGuard) -> None:
        self._budget = budget
        self._takes_purpose: bool | None = None
        self.prices: Prices | None = getattr(budget, "prices", None)

    async def before(self, attempt: RunningAttempt) -> Permit | None:
        """Set aside what the attempt may cost.

        Raises:
            BudgetExceededError: It could pass a limit.
        """
        purpose = attempt.call.purpose
        if purpose == "call":
            return self._budget.reserve(attempt.request, provider=attempt.place.name, model=attempt.model)
        return self._budget.reserve(
            attempt.request, provider=attempt.place.name, model=attempt.model, **self._tag(purpose)
        )

    def _tag(self, purpose: str) -> dict[str, Any]:
        """Return the tag of a charge, where the budget takes one: a guard of your own need not."""
        if self._takes_purpose is None:
            known = signature(self._budget.reserve).parameters
            self._takes_purpose = "purpose" in known or any(each.kind is each.VAR_KEYWORD for each in known.values())
        return {"purpose": purpose} if self._takes_purpose else {}
