"""What the policies of our own layer decided."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from llmtest.events._event import Event, target

__all__ = ["BreakerChanged", "BudgetRejected", "BudgetWarned", "CacheHit", "CircuitSkipped", "FallbackTaken"]


@dataclass(slots=True)
class FallbackTaken(Event):
    """The chain moved on from one slot to the next."""

    kind: ClassVar[str] = "fallback"

    chain: str
    from_provider: str
    from_model: str | None
    to_provider: str
    to_model: str | None
    reason: str

    def subject(self) -> str:
        """Where it came from."""
        return target(self.from_provider, self.from_model)

    def detail(self) -> str:
        """Where it went, and why."""
        return f"to {target(self.to_provider, self.to_model)} because {self.reason}"


@dataclass(slots=True)
class CircuitSkipped(Event):
    """A slot was skipped, because its circuit is open."""

    kind: ClassVar[str] = "circuit_open"

    provider: str
    model: str | None
    retry_after: float

    def subject(self) -> str:
        """Provider and model."""
        return target(self.provider, self.model)

    def detail(self) -> str:
        """When the circuit lets a probe through."""
        return f"probe in {self.retry_after:.9g} s"


@dataclass(slots=True)
class BreakerChanged(Event):
    """A circuit breaker changed its state: `closed`, `open`, `half_open`."""

    kind: ClassVar[str] = "breaker"

    provider: str
    from_state: str
    to_state: str
    reason: str

    def subject(self) -> str:
        """Whose circuit it is."""
        return self.provider

    def detail(self) -> str:
        """Both states, and why."""
        return f"{self.from_state} -> {self.to_state}: {self.reason}"


@dataclass(slots=True)
class CacheHit(Event):
    """An answer came from the cache."""

    kind: ClassVar[str] = "cache_hit"

    provider: str
    model: str | None

    def subject(self) -> str:
        """Who had given the answer."""
        return target(self.provider, self.model)


@dataclass(slots=True)
class BudgetRejected(Event):
    """A budget refused a call."""

    kind: ClassVar[str] = "budget_rejected"

    scope: str
    reason: str

    def subject(self) -> str:
        """Which limit."""
        return self.scope

    def detail(self) -> str:
        """The numbers."""
        return self.reason


@dataclass(slots=True)
class BudgetWarned(Event):
    """A budget passed its warning threshold, or let a call over the limit pass because it does not halt."""

    kind: ClassVar[str] = "budget_warned"

    scope: str
    reason: str

    def subject(self) -> str:
        """Which limit."""
        return self.scope

    def detail(self) -> str:
        """The numbers."""
        return self.reason
