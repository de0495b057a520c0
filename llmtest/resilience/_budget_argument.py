"""What a chain is given as its budget: a budget, or the limits to make one of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmtest.costs import Budget, BudgetConfig, CostManagementPolicy
from llmtest.errors import ConfigurationError

if TYPE_CHECKING:
    from llmtest.costs import Prices
    from llmtest.resilience.pipeline._call import SpendGuard

__all__ = ["Limits", "guard_of"]

Limits = BudgetConfig | CostManagementPolicy
"""Limits of which a chain makes a budget of its own."""


def guard_of(budget: SpendGuard | Limits | None, prices: Prices | None) -> SpendGuard | None:
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
