"""Logical calls: one call as the application sees it."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar

from llmtest.events._event import Event
from llmtest.types import Usage

__all__ = ["CallEnded", "CallStarted", "LogicalCall", "Returned", "current_call"]


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


@dataclass(frozen=True, slots=True)
class Returned:
    """What the caller of a logical call got, as far as somebody told it.

    Args:
        text: The answer's text, empty where the caller got nothing; None: not known.
        usage: The tokens that it was told.
        model: The model that it was told.
        cost_usd: The cost that it was told.
    """

    text: str | None = None
    usage: Usage | None = None
    model: str | None = None
    cost_usd: Decimal | None = None


@dataclass(slots=True)
class CallStarted(Event):
    """A logical call began.

    Args:
        label: Name of the call, or of the client's provider.
    """

    kind: ClassVar[str] = "call"

    label: str

    def line(self) -> str:
        """The facts as one line."""
        return f"{self.at_ns}|{self.call}|call|{self.label}"


@dataclass(slots=True)
class CallEnded(Event):
    """A logical call ended.

    Args:
        label: Name of the call, or of the client's provider.
        outcome: `ok`, `cancelled`, or the class of the error it ended with.
        provider: Who answered it; None where nobody did, or our own layer had no part in it.
        model: The model that answered it.
        start_ns: When it began, counted from the clock's start.
        first_token_ns: When the first visible piece of a streamed answer was read; None where nothing was streamed.
        returned: What the caller got, where a test or a scenario's target tells it.
    """

    kind: ClassVar[str] = "call_end"

    label: str
    outcome: str
    provider: str | None
    model: str | None
    start_ns: int
    first_token_ns: int | None = None
    returned: Returned | None = None

    def line(self) -> str:
        """The facts as one line."""
        return (
            f"{self.at_ns}|{self.call}|call_end|{self.label}|{self.outcome}|{self.provider}|{self.model}|"
            f"{self.start_ns}|{self.first_token_ns}"
        )
