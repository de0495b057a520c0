"""`half_open_herd`: everybody at once through a circuit that was to be tried."""

from __future__ import annotations

from llmtest.conduct._kind import FindingKind, Suspicion
from llmtest.events import BreakerChanged, RequestReceived

__all__ = ["KIND", "HalfOpenProbes"]


class HalfOpenProbes:
    """Counts the calls that turn to a provider while its circuit is half open, where the circuit tells its states.

    Args:
        most: Calls that it is to let through; None: unknown, nothing is judged.
        caller: Who makes the calls.
    """

    def __init__(self, most: int | None, caller: str) -> None:
        self._most = most
        self._caller = caller
        self.open: dict[str, int] = {}
        """Calls by half-open circuit; empty nearly always."""

    def changed(self, event: BreakerChanged) -> None:
        """Watch half-open circuits."""
        if event.to_state == "half_open":
            self.open[event.provider] = 0
        else:
            self.open.pop(event.provider, None)

    def asked(self, event: RequestReceived) -> Suspicion | None:
        """Count the first request of a call to a provider whose circuit is half open."""
        self.open[event.provider] += 1
        most = self._most
        if most is None or self.open[event.provider] != most + 1:
            return None
        text = f"the half-open circuit `{event.provider}` let more than {most} calls through at {event.at:.3f} s."
        return Suspicion(text, self._caller)


KIND = FindingKind(
    name="half_open_herd",
    rule="while a breaker was half open, more calls than it lets through turned to the provider",
    fix="let a half-open circuit try with one call at a time, and refuse the others until that one is answered",
    blames="the breaker",
)
