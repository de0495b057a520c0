"""What simulated providers saw, and what reached the network instead."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar, Literal

from llmtest.events._event import Event, plain_usage
from llmtest.types import Usage

__all__ = [
    "FaultFired",
    "HarnessErrorRecorded",
    "LiveRequestPassed",
    "RealIoObserved",
    "RealTimeCause",
    "RealTimePassed",
    "RequestAnswered",
    "RequestReceived",
    "TelemetryKept",
]

RealTimeCause = Literal["native_wait", "foreign_clock"]
"""Why a clock that is not virtual may have decided something."""


@dataclass(slots=True)
class RequestReceived(Event):
    """A simulated provider received a request.

    Args:
        exchange: Number of the request within the trace, from 1.
        provider: The provider.
        model: The model that was asked for.
        operation: What was asked for: `chat`, `embeddings`, `models`.
        stream: Whether the answer is to be streamed.
    """

    kind: ClassVar[str] = "request"

    exchange: int
    provider: str
    model: str | None
    operation: str
    stream: bool

    def line(self) -> str:
        """The facts as one line."""
        return (
            f"{self.at_ns}|{self.call}|request|{self.exchange}|{self.provider}|{self.model}|{self.operation}|"
            f"{self.stream}"
        )


@dataclass(slots=True)
class RequestAnswered(Event):
    """A simulated provider was done with a request.

    Args:
        exchange: Number of the request within the trace, from 1.
        provider: The provider.
        model: The model that was asked for.
        outcome: The status code, or `timeout`, `reset`, `refused`, `truncated`, `dropped`, `stalled`, `malformed`,
            `error` (an error event inside a stream), `abandoned` (the client went away).
        start_ns: When the request came, counted from the clock's start.
        usage: Tokens that are charged; None where nothing is.
        billed: Whether the provider charges for it.
        cost_usd: What it cost; None where nothing is charged, or the price is unknown.
        retry_after: Wait that the provider asked for, in seconds.
        fault: The fault that struck, by its name.
        operation: What was asked for: `chat`, `embeddings`, `models`.
        service_tier: The tier that served it; None: the standard one.
        metadata: The caller's own labels of the request, by name.
        partial_text: What a stream had said when it broke off; None where none did.
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
    service_tier: str | None = None
    metadata: tuple[tuple[str, str], ...] = ()
    partial_text: str | None = None

    def line(self) -> str:
        """The facts as one line."""
        wait = "None" if self.retry_after is None else f"{self.retry_after:.9g}"
        return (
            f"{self.at_ns}|{self.call}|answer|{self.exchange}|{self.provider}|{self.model}|{self.outcome}|"
            f"{self.start_ns}|{plain_usage(self.usage)}|{self.billed}|{wait}|{self.fault}|{self.operation}"
        )


@dataclass(slots=True)
class FaultFired(Event):
    """A fault rule decided a request.

    Args:
        rule: Name of the rule.
        provider: The provider that was hit.
        exchange: Number of the request within the trace, from 1.
    """

    kind: ClassVar[str] = "fault"

    rule: str
    provider: str
    exchange: int


@dataclass(slots=True)
class RealIoObserved(Event):
    """Real sockets took part, so that the run's timing was not decided by the clock alone. Recorded once per peer.

    Args:
        peer: Address of the other end.
    """

    kind: ClassVar[str] = "real_io"

    peer: str


@dataclass(slots=True)
class RealTimePassed(Event):
    """Somebody went by a clock that is not virtual, so that nothing can be said of how long the code under test waited.

    Args:
        cause: `native_wait`: real time passed while no thread of the simulation could run, and its clock stood.
            `foreign_clock`: a library was used that reads the machine's clock where nobody can replace it.
        seconds: Real seconds that were seen to pass; 0 where the cause is a library.
        library: The library that reads another clock; None for a wait.
        where: The innermost line of Python that waited, as `file:line`; None where it is not known.
    """

    kind: ClassVar[str] = "real_time"

    cause: RealTimeCause
    seconds: float = 0.0
    library: str | None = None
    where: str | None = None


@dataclass(slots=True)
class LiveRequestPassed(Event):
    """A request to an allowed host left the simulation.

    Args:
        host: The host.
        method: The HTTP method.
    """

    kind: ClassVar[str] = "live"

    host: str
    method: str


@dataclass(slots=True)
class TelemetryKept(Event):
    """What a library reports about itself was kept from leaving, and answered as if it had arrived.

    So was its request for a table that it has a copy of, such as litellm's prices; that is not found. And so was what
    google-auth asks the machine for credentials; that is answered with those of a dummy account.

    Args:
        library: The library.
        host: Where it was going.
        method: The HTTP method; None where it is a connection that nobody here can read.
        path: Path of its URL; None as well.
    """

    kind: ClassVar[str] = "telemetry"

    library: str
    host: str
    method: str | None = None
    path: str | None = None


@dataclass(slots=True)
class HarnessErrorRecorded(Event):
    """The test was found to be wrong.

    Args:
        error: What was raised, and is raised again when the test ends.
    """

    kind: ClassVar[str] = "harness_error"

    error: BaseException
