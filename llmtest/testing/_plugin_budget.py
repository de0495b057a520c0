"""`@pytest.mark.llm_budget(usd="0.05")`: the test fails if its simulated calls cost more."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from llmtest.errors import ConfigurationError
from llmtest.testing._assert_resources import usd
from llmtest.testing._failure import dollars, failure

if TYPE_CHECKING:
    from llmtest.testing._simulation import Simulation

__all__ = ["check_budget", "marked_limit"]

ZERO = Decimal(0)
LARGEST = 3
"""How many of the dearest answers a failure lists."""


def check_budget(mark: pytest.Mark, simulation: Simulation) -> None:
    """Raise AssertionError if the simulated spend is over the marker's limit.

    Raises:
        UnknownPriceError: An answer has no known price, so the sum is unknown, which is not zero.
    """
    __tracebackhide__ = True
    limit = budget_of(mark)
    spent = simulation.costs.total_usd
    if spent <= limit:
        return
    entries = sorted(simulation.costs.entries, key=lambda entry: entry.cost_usd or ZERO, reverse=True)
    facts = [
        f"{entry.provider}/{entry.model}   {entry.usage.input_tokens:,} in   {entry.usage.output_tokens:,} out   "
        f"{dollars(entry.cost_usd or ZERO)}"
        for entry in entries[:LARGEST]
    ]
    raise failure(
        f'this test spent {dollars(spent)} of its {dollars(limit)} budget (`@pytest.mark.llm_budget(usd="{limit}")`).',
        simulation.trace,
        facts=facts,
    )


def marked_limit(item: pytest.Item) -> Decimal | None:
    """Return what a test's marker allows, in USD; None where it has none. A wrong one is told when the test ends."""
    mark = item.get_closest_marker("llm_budget")
    if mark is None:
        return None
    try:
        return budget_of(mark)
    except ConfigurationError:
        return None


def budget_of(mark: pytest.Mark) -> Decimal:
    """Return the marker's limit, in USD.

    Raises:
        ConfigurationError: It says none, or more than that.
    """
    unknown = sorted(mark.kwargs.keys() - {"usd"})
    if unknown or len(mark.args) > 1:
        given = ", ".join([*map(repr, mark.args), *(f"{name}=..." for name in mark.kwargs)])
        raise ConfigurationError(
            f'`llm_budget({given})`: it takes one limit.\nTo fix: @pytest.mark.llm_budget(usd="0.05")'
        )
    limit = usd(mark.kwargs.get("usd", mark.args[0] if mark.args else None), "usd")
    if limit is None:
        raise ConfigurationError('`llm_budget` needs a limit.\nTo fix: @pytest.mark.llm_budget(usd="0.05")')
    return limit
