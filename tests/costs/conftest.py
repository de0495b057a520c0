"""Fixtures of the tests of costs and budgets."""

import itertools

import pytest

from llmtest import RedisBudgetStore
from llmtest.costs import MemoryBudgetStore, SqliteBudgetStore

NAMESPACES = itertools.count()


@pytest.fixture(params=["memory", "sqlite", "redis"])
def store(request, tmp_path):
    """Keep balances in memory, in a file, and on a server."""
    if request.param == "memory":
        yield MemoryBudgetStore()
    elif request.param == "sqlite":
        with SqliteBudgetStore(tmp_path / "budget.db") as opened:
            yield opened
    else:
        url = request.getfixturevalue("redis_url")
        with RedisBudgetStore(url, namespace=f"costs-{next(NAMESPACES)}") as opened:
            yield opened
