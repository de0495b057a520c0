"""Where the state of circuits is kept: the decisions as plain data in and out, so that many processes can share them.

A circuit decides two things: whether a call is let through (`admit`), and what the end of a call changes (`record`).
Each is one atomic operation of its store, with numbers and words alone, so that a store on a server makes each in one
script. Everything else (errors, events, listeners) is made of what comes back, by `CircuitBreaker`, in the process that
asked. `MemoryCircuit` is the store of one process, and the reference for any other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

from llmtest.events import BreakerCause, BreakerState

if TYPE_CHECKING:
    from llmtest.resilience.breaker._breaker_config import CircuitBreakerConfig

__all__ = [
    "BreakerStore",
    "CircuitAdmission",
    "CircuitChange",
    "CircuitReading",
    "CircuitRefusal",
    "Command",
    "RemoteCircuit",
    "StoredCircuit",
    "Verdict",
]

NEVER = 1 << 62
"""A time that does not come."""
Verdict = Literal["success", "failure", "nothing"]
"""How an admitted call ended: well, in a way that counts against the provider, or telling nothing of it."""
Command = Literal["isolate", "release", "reset"]
"""What an operator tells a circuit: let nothing through, let calls through again, forget every failure."""
RefusalCause = Literal["open", "cooling", "probing", "isolated", "restoring", "unknown"]


@dataclass(frozen=True, slots=True)
class CircuitChange:
    """A circuit went from one state to another.

    Args:
        from_state: The state before.
        to_state: The state from now on.
        cause: Why.
        count: Failures or slow calls, or probes that succeeded; None for other causes.
        calls: Of how many calls in the window; None where failures in a row count.
        open_for: Seconds until the first probe; None for other states.
        slow: Whether the last call was slow, and had not failed.
    """

    from_state: BreakerState
    to_state: BreakerState
    cause: BreakerCause
    count: int | None = None
    calls: int | None = None
    open_for: float | None = None
    slow: bool = False


class CircuitAdmission:
    """The right to make one call; ended by `CircuitBreaker.success`, `failure` or `release`.

    Args:
        generation: Number of the circuit's state at that time; every change begins a new one.
        at_ns: When it was given.
        is_probe: Whether it holds one of the permits of a half-open circuit.
        number: Number of the probe within its generation; 0 for a call that is none.
        changes: What admitting it has changed.
    """

    __slots__ = ("at_ns", "changes", "generation", "is_probe", "number")

    def __init__(
        self, generation: int, at_ns: int, is_probe: bool, number: int = 0, changes: tuple[CircuitChange, ...] = ()
    ) -> None:
        self.generation = generation
        self.at_ns = at_ns
        self.is_probe = is_probe
        self.number = number
        self.changes = changes


class CircuitRefusal(NamedTuple):
    """A call that is not let through.

    `cause`: the circuit is open, cools down, has its probes under way, was isolated by hand, or is being restored, and
    the call was not of the share; or its state is `unknown`, and its store refuses then. `wait_ns`: until another call
    may be; None where no time is known. `changes`: what had happened meanwhile.
    """

    cause: RefusalCause
    wait_ns: int | None
    changes: tuple[CircuitChange, ...] = ()


class CircuitReading(NamedTuple):
    """What a circuit looks like from outside.

    `failures`: counted so far, in a row or in the window. `available_at_ns`: when the next call may be let through; in
    the past where it may be now.
    """

    state: BreakerState
    failures: int
    available_at_ns: int


class StoredCircuit(Protocol):
    """The state of one circuit; each method is one atomic operation, whoever else uses the same circuit.

    Times come in as arguments, in nanoseconds: of the caller's monotonic clock, or of its wall time where the circuit
    has an attribute `is_shared` that is true, because other processes use it too. Whoever shares a circuit is to keep
    its wall time in step; that it goes back a little must do no harm.
    """

    def admit(self, now_ns: int, forced: bool) -> CircuitAdmission | CircuitRefusal:
        """Decide whether a call is let through.

        Args:
            now_ns: The time.
            forced: Let it through as a probe even where the circuit is open or cools down, though not where it is
                isolated.
        """
        ...

    def record(
        self, admission: CircuitAdmission, now_ns: int, verdict: Verdict, took_ns: int | None = None
    ) -> tuple[CircuitChange, ...]:
        """Note how an admitted call ended; one of an earlier generation changes nothing.

        A probe's permit comes back with each verdict, and does so without harm when that is said twice.

        Args:
            admission: What let it through.
            now_ns: The time.
            verdict: How it ended.
            took_ns: How long it took; None where it does not matter.
        """
        ...

    def cool_down(self, until_ns: int) -> bool:
        """Refuse calls until then without a change of state; return False where it cools down for longer already."""
        ...

    def command(self, command: Command, now_ns: int) -> tuple[CircuitChange, ...]:
        """Do what an operator says."""
        ...

    def read(self) -> CircuitReading:
        """Return how it looks now."""
        ...


class RemoteCircuit(StoredCircuit, Protocol):
    """The state of a circuit on a server: code on an event loop is not to wait for it blocking."""

    async def admit_async(self, now_ns: int, forced: bool) -> CircuitAdmission | CircuitRefusal:
        """Do as `admit`, on the event loop."""
        ...

    async def record_async(
        self, admission: CircuitAdmission, now_ns: int, verdict: Verdict, took_ns: int | None = None
    ) -> tuple[CircuitChange, ...]:
        """Do as `record`, on the event loop; what ends outside of it, as a stream does, is recorded by `record`."""
        ...

    def last_known(self) -> CircuitReading:
        """Return how it looked when it was asked last, without asking; strategies go by this."""
        ...


class BreakerStore(Protocol):
    """What keeps the circuits of chains: each name is one circuit, for all that use the store."""

    def circuit(self, name: str, config: CircuitBreakerConfig) -> StoredCircuit:
        """Return the circuit of a name; a `RemoteCircuit` where it is on a server.

        Args:
            name: Its name, as `FallbackChain.breaker` has it.
            config: Its rules.
        """
        ...
