"""pybreaker: its listener hears of every change of state when it happens."""

from __future__ import annotations

import sys
from typing import Any

from llmtest.events import BreakerState
from llmtest.testing.breakers._watch import Detach, Listener, Watch

__all__ = ["watch_of"]

STATES: dict[str, BreakerState] = {"closed": "closed", "open": "open", "half-open": "half_open"}


def watch_of(thing: object) -> Watch | None:
    """Return how a `pybreaker.CircuitBreaker` is watched; None for anything else."""
    library = sys.modules.get("pybreaker")
    if library is None or not isinstance(thing, library.CircuitBreaker):
        return None
    breaker: Any = thing

    def attach(listener: Listener) -> Detach:
        ear = _Ear(listener)
        breaker.add_listener(ear)
        listener.circuit(breaker.name, lambda: STATES[breaker.current_state])
        return lambda: breaker.remove_listener(ear)

    return Watch(breaker, attach)


class _Ear:
    """A listener as pybreaker calls it."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._error: BaseException | None = None

    def before_call(self, cb: Any, func: Any, *args: Any, **kwargs: Any) -> None:
        """Hear that a call is let through."""

    def success(self, cb: Any) -> None:
        """Hear that a call succeeded."""

    def failure(self, cb: Any, exc: BaseException) -> None:  # noqa: ARG002 - the library's protocol
        """Keep the error, which may be the one that opens the circuit."""
        self._error = exc

    def state_change(self, cb: Any, old_state: Any, new_state: Any) -> None:
        """Tell of a change."""
        before, after = STATES[old_state.name], STATES[new_state.name]
        count, error = None, None
        if after == "open":
            error, self._error = self._error, None
            count = cb.fail_counter if before == "closed" and error is not None else None
        elif before == "half_open":
            count = getattr(cb, "success_threshold", 1)
        timeout = float(cb.reset_timeout) if after == "open" else None
        self._listener.changed(cb.name, before, after, count=count, error=error, open_for=timeout)
