"""Where the suites of policies keep their state: in memory, or where the suites of stores say, which run them again."""

from contextlib import contextmanager
from itertools import count

from llmtest.events import StoreFailed, subscribed
from llmtest.resilience import CircuitBreaker, MemoryLimiterStore, SharedState
from llmtest.stores._redis_server import RedisServer

MAKERS = {"circuits": lambda: None, "limits": MemoryLimiterStore, "keys": lambda: None}
numbers = count()
"""Of namespaces on a server, which holds what every test leaves there."""


@contextmanager
def kept_in(**makers):
    """Have state kept elsewhere: each chain of a suite gets a new store of what is made here."""
    before = dict(MAKERS)
    MAKERS.update(makers)
    try:
        yield
    finally:
        MAKERS.update(before)


@contextmanager
def kept_in_redis(url, **kinds):
    """Have state kept on a server: each store gets a namespace of its own, and the server may never fail."""
    server, failed = RedisServer(url, 1.0), []

    def note(event):
        if isinstance(event, StoreFailed):
            failed.append(event)

    def maker(kind, make):
        return lambda: make(server, namespace=f"suite-{kind}-{next(numbers)}")

    with kept_in(**{kind: maker(kind, make) for kind, make in kinds.items()}), subscribed(note):
        yield
    server.close()
    assert failed == []


def circuit_store():
    """Return a new store of circuits; None: each chain keeps its own in memory."""
    return MAKERS["circuits"]()


def limiter_store():
    """Return a new store of limits."""
    return MAKERS["limits"]()


def key_state():
    """Return state with a new store of refused keys; None: each chain keeps its own in memory."""
    store = MAKERS["keys"]()
    return None if store is None else SharedState(refused_keys=store)


def breaker_of(name, config=None):
    """Return a circuit of a new store."""
    return CircuitBreaker(name, config, circuit_store())
