"""The file behind an account: made in one step, checked when it is opened, and every trouble with it told as one error.

SQLite would create a missing file, take a foreign one for its own, and go on writing to one that was moved away. Here
each of these is an error, because a ledger that begins anew knows of no spending.
"""

from __future__ import annotations

import math
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkstemp

from llmtest.clock import Turn
from llmtest.costs._own_connection import OwnConnection
from llmtest.errors import ConfigurationError

__all__ = ["FileKind", "SqliteFile"]

LONGEST_WAIT = 1_000_000.0
"""Seconds that SQLite can be told to wait; about eleven days."""

RESTORE = "restore the file from a copy, or move it away to start a new ledger, which knows of no spending"
ALLOW = "let this user read and write the file and its folder, where SQLite keeps a journal beside it"
ROOM = "make room on its disk; whatever was entered before is still there"


@dataclass(frozen=True, slots=True)
class FileKind:
    """What a file of ours is for.

    Args:
        noun: What errors call it.
        store: The class that opens it.
        example: A name for one.
        application_id: Marks the file as one of this kind: four letters.
        format: The version that is written, and read.
        schema: Statements that make it.
    """

    noun: str
    store: str
    example: str
    application_id: int
    format: int
    schema: str


class SqliteFile:
    """An SQLite file of ours; `transaction` is the only way into it.

    Args:
        path: The file; made where it is missing. Its folder must exist.
        timeout: Seconds to wait for another process's transaction.
        kind: What it is for.

    Raises:
        ConfigurationError: The file cannot be opened, is no ledger, is damaged, or stays locked. Nothing was changed.
    """

    def __init__(self, path: str | Path, timeout: float, kind: FileKind) -> None:
        self._held = OwnConnection()
        self._kind = kind
        self.timeout = _seconds(timeout)
        self.path = _path(path, kind.noun)
        self.turn = Turn()
        # Neither a later change of folder nor a name that SQLite takes for something else (`:memory:`) leads astray.
        self._real = Path(os.path.realpath(self.path))
        self._identity = (0, 0)
        with self.turn, self._explained():
            self._create()
            self._open()

    def close(self) -> None:
        """Close the file; the next transaction opens it again."""
        with self.turn:
            self._held.let_go()

    @contextmanager
    def transaction(self, *, writes: bool = True) -> Iterator[sqlite3.Connection]:
        """Take the write lock; keep what is done inside as a whole, or not at all.

        Args:
            writes: Whether anything is written; whoever only reads sees one moment of the file, and waits for nobody.

        Raises:
            ConfigurationError: The file is locked, damaged, or no longer where it was. Nothing was changed.
        """
        with self.turn, self._explained():
            connection = self._open()
            if self._find() != self._identity:
                raise self._broken("it was moved, replaced or deleted while it was open", self._put_back)
            connection.execute("BEGIN IMMEDIATE" if writes else "BEGIN")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")
                raise

    def _find(self) -> tuple[int, int]:
        """Return which file is there now; zeros where none is."""
        try:
            found = os.stat(self._real)  # noqa: PTH116 - Path.stat takes twice as long
        except FileNotFoundError:
            return 0, 0
        return found.st_dev, found.st_ino

    def _open(self) -> sqlite3.Connection:
        """Return this process's connection: one that was made before a fork belongs to the parent."""
        connection = self._held.current
        if connection is None:
            self._check()
            connection = sqlite3.connect(
                self._real, timeout=min(self.timeout, LONGEST_WAIT), isolation_level=None, check_same_thread=False
            )
            try:
                self._verify(connection)
            except BaseException:
                connection.close()
                raise
            self._held.take(connection)
            self._identity = self._find()
        return connection

    def _create(self) -> None:
        """Make the file where it is missing, in one step, so that nobody ever sees half a ledger."""
        journal = self._real.with_name(f"{self._real.name}-wal")
        has_journal = journal.exists()  # Asked first: another process makes the ledger before its journal.
        if self._real.exists():
            return
        if has_journal:
            # SQLite would play it into the new file, whose journal it is not.
            fix = "put the ledger back, or remove the journal to start a new ledger, which knows of no spending"
            raise self._broken(f"its journal `{journal.name}` is there without it", fix)
        handle, name = mkstemp(prefix=f".{self._real.name}.", dir=self._real.parent)
        os.close(handle)
        try:
            with closing(sqlite3.connect(name)) as connection:
                connection.executescript(self._kind.schema)
                connection.execute(f"PRAGMA application_id = {self._kind.application_id}")
                connection.execute(f"PRAGMA user_version = {self._kind.format}")
            with suppress(FileExistsError):  # Another process was faster.
                os.link(name, self._real)
        finally:
            Path(name).unlink()

    def _check(self) -> None:
        """Refuse what SQLite would mend by making a new file."""
        if self._real.is_dir():
            raise self._broken("it is a folder", f"name a file in it, such as `{self._kind.example}`")
        if not self._real.exists():
            raise self._broken("it was moved or deleted after it was opened", self._put_back)
        if not os.access(self._real, os.R_OK | os.W_OK) or not os.access(self._real.parent, os.W_OK):
            raise self._broken("this user may not write it", ALLOW)
        if self._real.stat().st_size == 0:
            raise self._broken("it is empty, so it may have been cut short")

    def _verify(self, connection: sqlite3.Connection) -> None:
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        kind = self._kind
        if application != kind.application_id:
            raise self._broken(f"it is an SQLite file, but no {kind.noun}")
        if version != kind.format:
            raise self._broken(f"it has format {version}, and this version of llmtest reads format {kind.format}")
        damage = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if damage != "ok":
            raise self._broken(f"it is damaged: {str(damage).splitlines()[-1]}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")

    @property
    def _put_back(self) -> str:
        return f"put it back, or make a new {self._kind.store}, which goes by what is there now"

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn what SQLite and the system say into one error of ours."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            if "locked" in str(error):
                raise ConfigurationError(
                    f"the {self._kind.noun} `{self.path}` is locked by another process for more than "
                    f"{self.timeout:g} s; nothing was changed.\n"
                    "To fix: end the process that holds the lock, or wait longer: "
                    f"{self._kind.store}(path, timeout=30)."
                ) from error
            self._held.let_go()
            raise self._broken(str(error), ROOM if "is full" in str(error) else RESTORE) from error
        except OverflowError as error:
            fix = "charge fewer tokens; there is no call of this size"
            raise self._broken("more tokens than it can hold would be added up", fix) from error
        except (ArithmeticError, ValueError) as error:
            raise self._broken("it is damaged: a number in it cannot be read") from error
        except FileNotFoundError as error:
            raise self._broken("its folder is missing", "make it; only the ledger itself is made here") from error
        except PermissionError as error:
            raise self._broken("this user may not write it", ALLOW) from error
        except OSError as error:
            raise self._broken(str(error.strerror or error)) from error

    def _broken(self, why: str, fix: str = RESTORE) -> ConfigurationError:
        return ConfigurationError(
            f"the {self._kind.noun} `{self.path}` cannot be used: {why}; nothing was changed.\nTo fix: {fix}."
        )


def _seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise ConfigurationError(f"`timeout` must be a number of seconds, 0 or more, got {value!r}")
    return value


def _path(value: object, noun: str) -> Path:
    if not isinstance(value, str | os.PathLike) or "\0" in str(value):
        raise ConfigurationError(f"a {noun} is named by a path, not {value!r}")
    return Path(value)
