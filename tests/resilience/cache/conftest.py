"""Fixtures of the cache's tests."""

import pytest

from llmtest import RedisCacheStore, ResponseCache
from llmtest.resilience import MemoryCacheStore, SqliteCacheStore, Which


@pytest.fixture(params=["memory", "sqlite", "redis"])
def store(request, tmp_path):
    """Return a store of each kind."""
    if request.param == "memory":
        yield MemoryCacheStore()
        return
    if request.param == "redis":
        with RedisCacheStore(request.getfixturevalue("redis_url")) as store:
            store.remove(Which())
            yield store
        return
    with SqliteCacheStore(tmp_path / "answers.db") as store:
        yield store


@pytest.fixture
def make_cache(store):
    """Return what makes a cache over the store of this run."""
    return lambda config=None: ResponseCache(config, store=store)
