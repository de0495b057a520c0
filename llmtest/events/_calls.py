"""Logical calls: one call as the application sees it."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from typing import ClassVar

from llmtest.events._event import Event, target

__all__ = ["CallEnded", "CallStarted", "LogicalCall", "current_call"]


@dataclass(slots=True, eq=False, weakref_slot=True)
class LogicalCall:
    """One call as the application sees it: it may take several attempts at several providers.

    Args:
        id: Number within its trace, from 1.
        label: Name given by `llm_sim.call("label")`, or the name of the client's provider.
        explicit: Whether somebody marked it; a test without marks is one implicit call.
    """

    id: int
    label: str
    explicit: bool = True


current_call: ContextVar[LogicalCall | None] = ContextVar("llmtest_current_call", default=None)
"""The logical call that the running code belongs to; None outside any marked call."""


@dataclass(slots=True)
class CallStarted(Event):
    """A logical call began."""

    kind: ClassVar[str] = "call"

    label: str

    def subject(self) -> str:
        """The call's label."""
        return self.label

    def line(self) -> str:
        """The event as one line."""
        return f"{self.at_ns}|{self.call}|call|{self.label}|"


@dataclass(slots=True)
class CallEnded(Event):
    """A logical call ended: `outcome` is `ok`, `cancelled`, or the name of the error's class."""

    kind: ClassVar[str] = "call_end"

    label: str
    outcome: str
    provider: str | None
    model: str | None
    start_ns: int
    first_token_ns: int | None = None

    def subject(self) -> str:
        """The call's label."""
        return self.label

    def detail(self) -> str:
        """Outcome, and who served it."""
        return f"{self.outcome} by {target(self.provider, self.model)}" if self.provider else self.outcome

    def line(self) -> str:
        """The event as one line."""
        provider, model = self.provider, self.model
        by = "" if not provider else f" by {provider}/{model}" if model else f" by {provider}"
        return f"{self.at_ns}|{self.call}|call_end|{self.label}|{self.outcome}{by}"
