"""Threads that live by one virtual clock."""

from __future__ import annotations


class Party:
    """The threads that take part in a simulation."""

    def __init__(self) -> None:
        self.idents: set[int] = set()
        self.solo = True

    def sleep_until(self, ns: int) -> None:
        """Block the calling thread until the clock reads `ns`."""
