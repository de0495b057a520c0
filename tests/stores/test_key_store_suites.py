"""The suite of refused keys, over a store in memory and on a real Redis: what a chain knows by itself is true there."""

from itertools import count

import pytest

from llmtest import RedisKeyStore
from llmtest.events import StoreFailed, subscribed
from llmtest.resilience import MemoryKeyStore
from llmtest.stores._redis_server import RedisServer
from tests.resilience import test_fallback_refused_keys as suite
from tests.resilience.kept_elsewhere import kept_in

globals().update(
    {name: case for name, case in vars(suite).items() if name.startswith(("test_r02", "test_c5", "test_fb10"))}
)
numbers = count()


@pytest.fixture(params=["complete", "stream_async"])
def mode(request):
    """Run the test in half of the ways to ask, each blocking and on a loop, whole and in pieces once."""
    return request.param


@pytest.fixture(autouse=True, params=["memory", "redis"])
def in_a_store(request):
    """Keep the refused keys of each chain in a store of its own."""
    failed = []

    def note(event):
        if isinstance(event, StoreFailed):
            failed.append(event)

    if request.param == "memory":
        with kept_in(keys=MemoryKeyStore), subscribed(note):
            yield
    else:
        server = RedisServer(request.getfixturevalue("redis_url"), 1.0)
        with kept_in(keys=lambda: RedisKeyStore(server, namespace=f"keys-{next(numbers)}")), subscribed(note):
            yield
        server.close()
    assert failed == []
