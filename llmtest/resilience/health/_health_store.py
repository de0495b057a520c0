"""Where it is kept who is ill: the decisions as plain data in and out, so that many processes can share them.

Two things are decided: whether a probe is due (`claim`), which one of all that ask is told, and what becomes of a
provider when something is told of it (`record`). Each is one atomic operation of its store, with numbers and words
alone, so that a store on a server makes each in one script. Events, alerts and calls of listeners are made of what
comes back, in the process that asked. `MemoryHealth` is the reference for any other.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, Protocol

__all__ = ["HealthReading", "HealthRules", "HealthStore", "RemoteHealth", "StoredHealth", "Told"]

Told = Literal["success", "failure", "nothing"]
"""What is told of a provider: it answered, it failed, or it was asked and that told nothing, as with a 429."""


class HealthRules(NamedTuple):
    """What a provider's health is decided by.

    `interval_ns`: from what was last told to the next probe. `failures`: in a row make it ill. `successes`: in a row
    make it well again.
    """

    interval_ns: int
    failures: int
    successes: int


class HealthReading(NamedTuple):
    """What is known of a provider.

    `is_ill`: whether it is ill. `failures` and `successes`: in a row, up to now. `since_ns`: when it became ill, or
    well again; 0 where it never was ill. `told_ns`: when something was last told of it, or a probe was claimed; None:
    never.
    """

    is_ill: bool = False
    failures: int = 0
    successes: int = 0
    since_ns: int = 0
    told_ns: int | None = None


class StoredHealth(Protocol):
    """The health of one provider; each method is one atomic operation, whoever else uses the same.

    Times are those of the caller's monotonic clock in nanoseconds, or of wall time where the store `is_shared`.
    """

    def claim(self, now_ns: int) -> tuple[bool, HealthReading]:
        """Return whether a probe is due, which is then the caller's to make, and what is known.

        It is due where `told_ns` is `interval_ns` away: in the past, or in the future, as where a clock began anew; the
        clocks of two machines may differ by less. Who asks first begins the interval, and makes none. A claim sets
        `told_ns`, so that a probe that never ends is made again by whoever asks an interval later.
        """
        ...

    def record(self, told: Told, now_ns: int) -> tuple[bool, HealthReading]:
        """Note what was told; return whether that made the provider ill, or well again, and what is known now."""
        ...

    def read(self) -> HealthReading:
        """Return what is known."""
        ...


class RemoteHealth(StoredHealth, Protocol):
    """The health of a provider on a server: code on an event loop is not to wait for it blocking."""

    async def claim_async(self, now_ns: int) -> tuple[bool, HealthReading]:
        """Do as `claim`, on the event loop."""
        ...

    async def record_async(self, told: Told, now_ns: int) -> tuple[bool, HealthReading]:
        """Do as `record`, on the event loop; what ends outside of it, as a stream does, is recorded by `record`."""
        ...


class HealthStore(Protocol):
    """What keeps the health of providers: each name is one provider, for all that use the store."""

    is_shared: bool
    """Whether other processes see it, so that times are wall time."""

    def health(self, name: str, rules: HealthRules) -> StoredHealth:
        """Return the health of a name; a `RemoteHealth` where it is on a server.

        Args:
            name: Name of the slot, as its circuit has it.
            rules: What it is decided by.
        """
        ...
