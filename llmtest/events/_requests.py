"""What simulated providers saw, and what reached the network instead."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from llmtest.events._event import Event, target

if TYPE_CHECKING:
    from decimal import Decimal

    from llmtest.types import Usage

__all__ = [
    "FaultFired",
    "HarnessErrorRecorded",
    "LiveRequestPassed",
    "RealIoObserved",
    "RequestAnswered",
    "RequestReceived",
]


@dataclass(slots=True)
class RequestReceived(Event):
    """A simulated provider received a request; `exchange` numbers requests within the trace, from 1."""

    kind: ClassVar[str] = "request"

    exchange: int
    provider: str
    model: str | None
    operation: str
    stream: bool

    def subject(self) -> str:
        """Provider and model."""
        return target(self.provider, self.model)

    def detail(self) -> str:
        """Operation, and whether the answer streams."""
        return f"#{self.exchange} {self.operation}{' stream' if self.stream else ''}"

    def line(self) -> str:
        """The event as one line."""
        model = f"/{self.model}" if self.model else ""
        stream = " stream" if self.stream else ""
        return f"{self.at_ns}|{self.call}|request|{self.provider}{model}|#{self.exchange} {self.operation}{stream}"


@dataclass(slots=True)
class RequestAnswered(Event):
    """A simulated provider was done with a request.

    `outcome` is the status code, or `timeout`, `reset`, `refused`, `truncated`, `dropped`, `stalled`, `malformed`,
    `error` (an error event inside a stream), `abandoned` (the client went away).
    """

    kind: ClassVar[str] = "answer"

    exchange: int
    provider: str
    model: str | None
    outcome: str
    start_ns: int
    usage: Usage | None = None
    billed: bool = False
    cost_usd: Decimal | None = None
    retry_after: float | None = None
    fault: str | None = None
    operation: str = "chat"

    def subject(self) -> str:
        """Provider and model."""
        return target(self.provider, self.model)

    def detail(self) -> str:
        """Outcome, tokens, and the wait that was asked for."""
        usage = self.usage
        text = f"#{self.exchange} {self.outcome}"
        if usage is not None:
            text += f" {usage.input_tokens}+{usage.output_tokens} tokens"
        if self.retry_after is not None:
            text += f" retry_after={self.retry_after:g}"
        if self.fault is not None:
            text += f" fault={self.fault}"
        return text

    def line(self) -> str:
        """The event as one line."""
        model = f"/{self.model}" if self.model else ""
        return f"{self.at_ns}|{self.call}|answer|{self.provider}{model}|{self.detail()}"


@dataclass(slots=True)
class FaultFired(Event):
    """A fault rule decided a request."""

    kind: ClassVar[str] = "fault"

    rule: str
    provider: str
    exchange: int

    def subject(self) -> str:
        """The provider that was hit."""
        return self.provider

    def detail(self) -> str:
        """Which rule, on which request."""
        return f"{self.rule} #{self.exchange}"


@dataclass(slots=True)
class RealIoObserved(Event):
    """Real sockets took part, so that the run's timing was not decided by the clock alone. Recorded once per peer."""

    kind: ClassVar[str] = "real_io"

    peer: str

    def subject(self) -> str:
        """The address of the other end."""
        return self.peer


@dataclass(slots=True)
class LiveRequestPassed(Event):
    """A request to an allowed host left the simulation."""

    kind: ClassVar[str] = "live"

    host: str
    method: str

    def subject(self) -> str:
        """The host."""
        return self.host

    def detail(self) -> str:
        """The method."""
        return self.method


@dataclass(slots=True)
class HarnessErrorRecorded(Event):
    """The test was found to be wrong."""

    kind: ClassVar[str] = "harness_error"

    error: BaseException

    def subject(self) -> str:
        """The error's class."""
        return type(self.error).__name__

    def detail(self) -> str:
        """The first line of its text."""
        return str(self.error).partition("\n")[0]
