"""What every reader of another library offers, and what it tells."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from llmtest.events import BreakerCause, BreakerState

__all__ = ["Detach", "Listener", "Watch", "cause_of", "outcome_of"]

Detach = Callable[[], None]
"""Takes a reader out of the library's object again."""


class Listener(Protocol):
    """Whom a reader tells."""

    def circuit(self, name: str | None, state: Callable[[], BreakerState]) -> None:
        """There is a circuit, of this name, which now has the state that `state` returns."""

    def changed(
        self,
        name: str | None,
        from_state: BreakerState,
        to_state: BreakerState,
        *,
        count: int | None = None,
        error: BaseException | None = None,
        open_for: float | None = None,
    ) -> None:
        """A circuit changed its state."""

    def retried(self, number: int, delay: float, error: BaseException | None) -> None:
        """What failed with `error` is tried again after `delay` seconds, for the `number`-th time."""


@dataclass(slots=True)
class Watch:
    """Something that can be watched.

    Args:
        of: The library's object.
        attach: Begins to tell a listener.
    """

    of: object
    attach: Callable[[Listener], Detach]


def cause_of(from_state: BreakerState, to_state: BreakerState, count: int | None) -> BreakerCause:
    """Return why a circuit changed, as far as the two states and the failures that were counted tell."""
    if from_state == "half_open":
        return "probe_failed" if to_state == "open" else "probes_succeeded"
    if from_state == "open":
        return "recovery_timeout" if to_state == "half_open" else "reset"
    return "failures" if to_state == "open" and count else "reset"


def outcome_of(error: BaseException) -> str:
    """Return an error of a client as an outcome: its status where it has one, else its class."""
    status = getattr(error, "status_code", getattr(error, "status", None))
    return str(status) if type(status) is int else type(error).__name__
