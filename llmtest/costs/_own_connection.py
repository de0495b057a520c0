"""An SQLite connection that belongs to one process: SQLite forbids to use or close it in a forked child."""

from __future__ import annotations

import os
import sqlite3

__all__ = ["OwnConnection"]

_inherited: list[sqlite3.Connection] = []
"""Connections of a parent process, kept untouched as long as this one lives."""


class OwnConnection:
    """A place for one connection, which is empty again in a forked child.

    Example:
        >>> held = OwnConnection()
        >>> held.take(sqlite3.connect(":memory:"))
        >>> held.current is None
        False
        >>> held.let_go()
        >>> held.current is None
        True
    """

    __slots__ = ("_connection", "_owner")

    def __init__(self) -> None:
        self._connection: sqlite3.Connection | None = None
        self._owner = 0

    @property
    def current(self) -> sqlite3.Connection | None:
        """The connection; None where this process has none."""
        return self._connection if self._owner == os.getpid() else None

    def take(self, connection: sqlite3.Connection) -> None:
        """Let go of what is held, and hold another connection, made by this process."""
        self.let_go()
        self._connection, self._owner = connection, os.getpid()

    def let_go(self) -> None:
        """Close the connection, or leave it alone where it is a parent's."""
        connection, self._connection = self._connection, None
        if connection is not None:
            if self._owner == os.getpid():
                connection.close()
            else:
                _inherited.append(connection)

    def __del__(self) -> None:
        """Close the connection without the warning that Python 3.13 has for those nobody closed."""
        self.let_go()
