"""Where the suites of policies keep their state: in memory, or where the suites of stores say, which run them again."""

from contextlib import contextmanager

from llmtest.resilience import CircuitBreaker, MemoryLimiterStore, SharedState

MAKERS = {"circuits": lambda: None, "limits": MemoryLimiterStore, "keys": lambda: None}


@contextmanager
def kept_in(**makers):
    """Have state kept elsewhere: each chain of a suite gets a new store of what is made here."""
    before = dict(MAKERS)
    MAKERS.update(makers)
    try:
        yield
    finally:
        MAKERS.update(before)


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
