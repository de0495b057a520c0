"""aiobreaker: its listener hears of every change of state when it happens."""

from __future__ import annotations

import sys
from typing import Any

from llmtest.events import BreakerState
from llmtest.testing.breakers._watch import Detach, Listener, Watch

__all__ = ["watch_of"]

STATES: dict[str, BreakerState] = {"CLOSED": "closed", "OPEN": "open", "HALF_OPEN": "half_open"}


def watch_of(thing: object) -> Watch | None:
    """Return how an `aiobreaker.CircuitBreaker` is watched; None for anything else."""
    library = sys.modules.get("aiobreaker")
    if library is None or not isinstance(thing, library.CircuitBreaker):
        return None
    breaker: Any = thing

    def attach(listener: Listener) -> Detach:
        ear = _Ear(listener)
        breaker.add_listener(ear)
        listener.circuit(breaker.name, lambda: STATES[breaker.current_state.name])
        return lambda: breaker.remove_listener(ear)

    return Watch(breaker, attach)


class _Ear:
    """A listener as aiobreaker calls it."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._error: BaseException | None = None

    def before_call(self, breaker: Any, func: Any, *args: Any, **kwargs: Any) -> None:
        """Hear that a call is let through."""

    def success(self, breaker: Any) -> None:
        """Hear that a call succeeded."""

    def failure(self, breaker: Any, exception: BaseException) -> None:  # noqa: ARG002 - the library's protocol
        """Keep the error, which may be the one that opens the circuit."""
        self._error = exception

    def state_change(self, breaker: Any, old: Any, new: Any) -> None:
        """Tell of a change."""
        before, after = STATES[old.state.name], STATES[new.state.name]
        count, error = None, None
        if after == "open":
            error, self._error = self._error, None
            count = breaker.fail_counter if before == "closed" and error is not None else None
        elif before == "half_open":
            count = 1
        timeout = breaker.timeout_duration.total_seconds() if after == "open" else None
        self._listener.changed(breaker.name, before, after, count=count, error=error, open_for=timeout)
