"""Fixtures of the cache's tests."""

import pytest

from llmtest import ResponseCache
from llmtest.resilience import MemoryCacheStore, SqliteCacheStore


@pytest.fixture(params=["memory", "sqlite"])
def store(request, tmp_path):
    """Return a store of each kind that needs no server."""
    if request.param == "memory":
        yield MemoryCacheStore()
        return
    with SqliteCacheStore(tmp_path / "answers.db") as store:
        yield store


@pytest.fixture
def make_cache(store):
    """Return what makes a cache over the store of this run."""
    return lambda config=None: ResponseCache(config, store=store)
