"""Where it is kept which keys were refused, so that many processes can know: plain data in and out, no key in it."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from llmtest.clock import Turn

__all__ = ["KeyRecord", "MemoryKeyStore", "RefusedKeyStore", "RemoteKeyStore"]


class KeyRecord(NamedTuple):
    """What is known of a refused key.

    `status`: 401 or 403. `at_ns`: when it was refused. `until_ns`: when it is tried again.
    """

    status: int
    at_ns: int
    until_ns: int


class RefusedKeyStore(Protocol):
    """What keeps the refused keys of chains, by their labels; each method is one atomic operation.

    A label is the hash of a key, or the name of a chain and the number of a slot whose provider has none. Times are
    those of the caller's monotonic clock in nanoseconds, or of wall time where the store `is_shared`. Whatever goes
    wrong is raised, as any `Exception`: a chain then goes by what it has seen itself, and the trace has a
    `StoreFailed`.
    """

    is_shared: bool
    """Whether other processes see it, so that times are wall time."""

    def look(self, label: str, trial_ns: int, now_ns: int) -> KeyRecord | None:
        """Return what keeps a call from trying a key; None lets it: where the time has passed, one at a time.

        Args:
            label: The key's label.
            trial_ns: For how long nobody else may try it, where this call may because the time has passed.
            now_ns: The time.
        """
        ...

    def remember(self, label: str, record: KeyRecord) -> None:
        """Keep that a key was refused."""
        ...

    def forget(self, label: str) -> None:
        """Say that a key was taken."""
        ...


class RemoteKeyStore(RefusedKeyStore, Protocol):
    """A store on a server: code on an event loop is not to wait for it blocking."""

    async def look_async(self, label: str, trial_ns: int, now_ns: int) -> KeyRecord | None:
        """Do as `look`, on the event loop."""
        ...

    async def remember_async(self, label: str, record: KeyRecord) -> None:
        """Do as `remember`, on the event loop."""
        ...

    async def forget_async(self, label: str) -> None:
        """Do as `forget`, on the event loop."""
        ...


class MemoryKeyStore:
    """The refused keys of all chains of this process that are given it, and the reference for any other store."""

    is_shared = False

    def __init__(self) -> None:
        self._known: dict[str, KeyRecord] = {}
        self._turn = Turn()

    def look(self, label: str, trial_ns: int, now_ns: int) -> KeyRecord | None:
        """Return what keeps a call from trying a key."""
        with self._turn:
            known = self._known.get(label)
            if known is None or now_ns < known.until_ns:
                return known
            self._known[label] = known._replace(until_ns=now_ns + trial_ns)
            return None

    def remember(self, label: str, record: KeyRecord) -> None:
        """Keep that a key was refused."""
        with self._turn:
            self._known[label] = record

    def forget(self, label: str) -> None:
        """Say that a key was taken."""
        with self._turn:
            self._known.pop(label, None)
