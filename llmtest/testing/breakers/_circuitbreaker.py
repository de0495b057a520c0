"""circuitbreaker: it has no listeners, and is extended by subclasses; while it is watched it is an instance of one.

Its circuit turns half open by the time alone, without a word: the change is told when a call first finds it so.
"""

from __future__ import annotations

import sys
from typing import Any

from llmtest.events import BreakerState
from llmtest.testing.breakers._watch import Detach, Listener, Watch

__all__ = ["watch_of"]

STATES: dict[str, BreakerState] = {"closed": "closed", "open": "open", "half_open": "half_open"}


def watch_of(thing: object) -> Watch | None:
    """Return how a `circuitbreaker.CircuitBreaker` is watched; None for anything else."""
    library = sys.modules.get("circuitbreaker")
    if library is None or not isinstance(thing, library.CircuitBreaker):
        return None
    breaker: Any = thing

    def attach(listener: Listener) -> Detach:
        original = type(breaker)
        state = _StateBefore(listener, STATES[breaker.state])
        breaker.__class__ = _watched(original, state)
        listener.circuit(breaker.name, lambda: state.last)

        def detach() -> None:
            breaker.__class__ = original

        return detach

    return Watch(breaker, attach)


class _StateBefore:
    """The last state that was told."""

    def __init__(self, listener: Listener, state: BreakerState) -> None:
        self._listener = listener
        self.last = state

    def compare(self, breaker: Any, state: str) -> None:
        before, after = self.last, STATES[state]
        if after == before:
            return
        self.last = after
        error, count, timeout = None, None, None
        if after == "open":
            error, timeout = breaker.last_failure, float(breaker._recovery_timeout)  # noqa: SLF001 - it has no other name
            count = breaker.failure_count if before == "closed" else None
        elif before == "half_open":
            count = 1
        self._listener.changed(breaker.name, before, after, count=count, error=error, open_for=timeout)


def _watched(original: type[Any], before: _StateBefore) -> type[Any]:
    """Return a subclass of a breaker's class that tells of changes."""

    class Watched(original):  # type: ignore[misc]  # the class of an object that is handed over
        @property
        def opened(self) -> bool:
            is_open: bool = super().opened
            before.compare(self, super().state)
            return is_open

        def __enter__(self) -> Any:
            before.compare(self, super().state)
            return super().__enter__()

        def __exit__(self, *raised: object) -> Any:
            before.compare(self, super().state)
            swallowed = super().__exit__(*raised)
            before.compare(self, super().state)
            return swallowed

        def reset(self) -> None:
            super().reset()
            before.compare(self, super().state)

    Watched.__name__, Watched.__qualname__, Watched.__module__ = (
        original.__name__,
        original.__qualname__,
        original.__module__,
    )
    return Watched
