"""pybreaker and aiobreaker, of which one is made after the other: a listener hears of every change of state at once."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from llmtest.events import BreakerState
from llmtest.testing.breakers._watch import Detach, Listener, Watch

__all__ = ["reader_of"]

STATES: dict[str, BreakerState] = {"closed": "closed", "open": "open", "half_open": "half_open"}
OPEN_FOR: dict[str, Callable[[Any], float]] = {
    "pybreaker": lambda breaker: float(breaker.reset_timeout),
    "aiobreaker": lambda breaker: float(breaker.timeout_duration.total_seconds()),
}
"""By library: for how many seconds a circuit stays open."""


def reader_of(name: str) -> Callable[[object], Watch | None]:
    """Return what tells how a `CircuitBreaker` of a library is watched; it returns None for anything else."""
    open_for = OPEN_FOR[name]

    def watch_of(thing: object) -> Watch | None:
        library = sys.modules.get(name)
        is_one = library is not None and isinstance(thing, library.CircuitBreaker)
        return _watch(thing, open_for) if is_one else None

    return watch_of


def _watch(breaker: Any, open_for: Callable[[Any], float]) -> Watch:
    def attach(listener: Listener) -> Detach:
        ear = _Ear(listener, open_for)
        breaker.add_listener(ear)
        listener.circuit(breaker.name, lambda: _state(breaker.current_state))
        return lambda: breaker.remove_listener(ear)

    return Watch(breaker, attach)


def _state(told: Any) -> BreakerState:
    """Return a state that a library tells as a text, as a member of an enumeration, or as an object that has either."""
    member = getattr(told, "state", told)
    return STATES[str(getattr(member, "name", member)).lower().replace("-", "_")]


class _Ear:
    """A listener as both libraries call it, by position."""

    def __init__(self, listener: Listener, open_for: Callable[[Any], float]) -> None:
        self._listener = listener
        self._open_for = open_for
        self._error: BaseException | None = None

    def before_call(self, breaker: Any, func: Any, *args: Any, **kwargs: Any) -> None:
        """Hear that a call is let through."""

    def success(self, breaker: Any) -> None:
        """Hear that a call succeeded."""

    def failure(self, breaker: Any, error: BaseException) -> None:  # noqa: ARG002 - the libraries' protocol
        """Keep the error, which may be the one that opens the circuit."""
        self._error = error

    def state_change(self, breaker: Any, old: Any, new: Any) -> None:
        """Tell of a change."""
        before, after = _state(old), _state(new)
        count, error = None, None
        if after == "open":
            error, self._error = self._error, None
            count = breaker.fail_counter if before == "closed" and error is not None else None
        elif before == "half_open":
            count = getattr(breaker, "success_threshold", 1)
        timeout = self._open_for(breaker) if after == "open" else None
        self._listener.changed(breaker.name, before, after, count=count, error=error, open_for=timeout)
