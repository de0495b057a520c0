"""Fixtures of the tests of costs and budgets."""

import pytest

from llmtest.costs import MemoryBudgetStore, SqliteBudgetStore


@pytest.fixture(params=["memory", "sqlite"])
def store(request, tmp_path):
    """Keep balances in memory, and in a file."""
    if request.param == "memory":
        yield MemoryBudgetStore()
    else:
        with SqliteBudgetStore(tmp_path / "budget.db") as opened:
            yield opened
