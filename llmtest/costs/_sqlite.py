"""Balances in an SQLite file, shared by every process that opens it and kept after they end.

Each operation is one transaction that takes the write lock first, so that two processes never judge by the same
balance. Amounts are stored as decimal text: SQLite's own numbers would round them.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from decimal import Decimal
from functools import partial
from pathlib import Path
from tempfile import mkstemp
from types import TracebackType
from typing import Self

from llmtest.clock import Turn
from llmtest.costs._money import EXACT, ZERO
from llmtest.costs._store import Balance, Hold, Overrun, Spent, closed, overruns
from llmtest.errors import ConfigurationError

__all__ = ["SqliteBudgetStore"]

APPLICATION_ID = 0x6C6C6D74
"""Marks the file as one of ours: the letters `llmt`."""
FORMAT = 1
SCHEMA = f"""
CREATE TABLE balances (
    bucket TEXT PRIMARY KEY, spent_tokens INTEGER NOT NULL, spent_usd TEXT NOT NULL,
    reserved_tokens INTEGER NOT NULL, reserved_usd TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE holds (
    id INTEGER PRIMARY KEY AUTOINCREMENT, buckets TEXT NOT NULL, tokens INTEGER NOT NULL, usd TEXT NOT NULL,
    at_ns INTEGER NOT NULL
);
CREATE TABLE sessions (id INTEGER PRIMARY KEY AUTOINCREMENT);
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {FORMAT};
"""

RESTORE = "restore the file from a copy, or move it away to start a new ledger, which knows of no spending"
ALLOW = "let this user read and write the file and its folder, where SQLite keeps a journal beside it"

_inherited: list[sqlite3.Connection] = []
"""Connections of a parent process. SQLite forbids to use or close them in a child, so they are kept untouched."""


class SqliteBudgetStore:
    """Balances in a file, atomic across threads and processes.

    A process that dies in the middle of a call leaves what that call had reserved in the file, where it goes on
    counting, since the provider may well have billed the call; `release_abandoned` gives it back. Keep the file on a
    local disk, and copy it only while no process has it open. It is closed by `close`, at the end of a `with` block, or
    with the last reference.

    Args:
        path: The file; made where it is missing. Its folder must exist.
        timeout: Seconds to wait for another process's transaction; 0 or more, default 5. This wait is real, also
            where time is virtual.

    Raises:
        ConfigurationError: The file cannot be opened, is no ledger, is damaged, or stays locked. Nothing was changed.
    """

    def __init__(self, path: str | Path, *, timeout: float = 5.0) -> None:
        self.path = Path(path)
        self._timeout = timeout
        self._turn = Turn()
        self._connection: sqlite3.Connection | None = None
        self._owner = 0
        with self._turn, self._explained():
            self._open()

    def new_session(self) -> str:
        """Return a name that no session of this file has had."""
        with self._transaction() as connection:
            return f"session:{connection.execute('INSERT INTO sessions DEFAULT VALUES').lastrowid}"

    def hold(self, hold: Hold) -> tuple[Overrun, ...]:
        """Set an amount aside, unless that could pass a halting limit."""
        with self._transaction() as connection:
            balances = [_read(connection, bucket) for bucket in hold.buckets]
            over = overruns(balances, hold)
            if any(overrun.limit.halt for overrun in over):
                return over
            for bucket, balance in zip(hold.buckets, balances, strict=True):
                balance.reserved_tokens += hold.tokens
                balance.reserved_usd = EXACT.add(balance.reserved_usd, hold.usd)
                _write(connection, bucket, balance)
            row = (json.dumps(hold.buckets), hold.tokens, str(hold.usd), hold.at_ns)
            cursor = connection.execute("INSERT INTO holds (buckets, tokens, usd, at_ns) VALUES (?, ?, ?, ?)", row)
            number = cursor.lastrowid or 0
        hold.id = number
        hold.is_open = True
        return over

    def settle(self, hold: Hold, tokens: int, usd: Decimal) -> tuple[Spent, ...]:
        """Replace what was set aside by what was spent."""
        with self._turn as is_free:
            if is_free:
                return self._settle(hold, tokens, usd)
            self._turn.later(partial(self._try, self._settle, hold, tokens, usd))
            return ()

    def _settle(self, hold: Hold, tokens: int, usd: Decimal) -> tuple[Spent, ...]:
        with self._transaction() as connection:
            if not _delete(connection, hold.id) or not hold.is_open:
                raise closed(hold)
            spent = [_move(connection, bucket, hold, tokens, usd) for bucket in hold.buckets]
        hold.is_open = False
        return tuple(spent)

    def release(self, hold: Hold) -> bool:
        """Give back what was set aside."""
        with self._turn as is_free:
            if not hold.is_open:
                return False
            if is_free:
                return self._release(hold)
            self._turn.later(partial(self._try, self._release, hold))
            return True

    def _try(self, operation: Callable[..., object], *arguments: object) -> None:
        """Do what nobody waits for. Where the file cannot be written, the reservation stays in it and counts on."""
        with suppress(ConfigurationError):
            operation(*arguments)

    def _release(self, hold: Hold) -> bool:
        with self._transaction() as connection:
            held = _delete(connection, hold.id)
            if held:
                for bucket in hold.buckets:
                    _move(connection, bucket, hold, 0, ZERO)
        hold.is_open = False
        return held

    def charge(self, buckets: tuple[str, ...], tokens: int, usd: Decimal) -> tuple[Spent, ...]:
        """Add what was spent without having been set aside."""
        nothing = Hold(buckets, (), 0, ZERO, 0)
        with self._transaction() as connection:
            return tuple(_move(connection, bucket, nothing, tokens, usd) for bucket in buckets)

    def balance(self, bucket: str) -> Balance:
        """Return one balance."""
        with self._transaction() as connection:
            return _read(connection, bucket)

    def release_abandoned(self, before_ns: int) -> int:
        """Give back what was reserved before a moment and never settled, because its process died.

        Args:
            before_ns: Wall time, in nanoseconds since 1970, of the clock the budgets used. Choose it so far back
                that no call of a living process can be older.

        Returns:
            How many reservations were given back.
        """
        with self._transaction() as connection:
            rows = connection.execute("SELECT id, buckets, tokens, usd, at_ns FROM holds WHERE at_ns < ?", (before_ns,))
            holds = [
                Hold(tuple(json.loads(buckets)), (), tokens, Decimal(usd), at_ns, id=number)
                for number, buckets, tokens, usd, at_ns in rows.fetchall()
            ]
            for hold in holds:
                _delete(connection, hold.id)
                for bucket in hold.buckets:
                    _move(connection, bucket, hold, 0, ZERO)
        return len(holds)

    def close(self) -> None:
        """Close the file; the next operation opens it again."""
        with self._turn:
            self._disconnect()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the file."""
        self.close()

    def __del__(self) -> None:
        """Close the file without the warning that Python 3.13 has for connections nobody closed."""
        if getattr(self, "_connection", None) is not None:
            self._disconnect()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._turn, self._explained():
            connection = self._open()
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")
                raise

    def _open(self) -> sqlite3.Connection:
        """Return this process's connection: one that was made before a fork belongs to the parent."""
        if self._connection is None or self._owner != os.getpid():
            self._create()
            connection = sqlite3.connect(
                self.path, timeout=self._timeout, isolation_level=None, check_same_thread=False
            )
            try:
                self._verify(connection)
            except BaseException:
                connection.close()
                raise
            if self._connection is not None:
                _inherited.append(self._connection)
            self._connection, self._owner = connection, os.getpid()
        return self._connection

    def _create(self) -> None:
        """Make the file where it is missing, in one step, so that nobody ever sees half a ledger."""
        if self.path.is_dir():
            raise self._broken("it is a folder", "name a file in it, such as `budget.db`")
        if self.path.exists():
            if not os.access(self.path, os.R_OK | os.W_OK) or not os.access(self.path.parent, os.W_OK):
                raise self._broken("this user may not write it", ALLOW)
            if self.path.stat().st_size == 0:
                raise self._broken("it is empty, so it may have been cut short")
            return
        handle, name = mkstemp(prefix=f".{self.path.name}.", dir=self.path.parent)
        os.close(handle)
        try:
            with closing(sqlite3.connect(name)) as connection:
                connection.executescript(SCHEMA)
            with suppress(FileExistsError):  # Another process was faster.
                os.link(name, self.path)
        finally:
            Path(name).unlink()

    def _verify(self, connection: sqlite3.Connection) -> None:
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if application != APPLICATION_ID:
            raise self._broken("it is an SQLite file, but no budget ledger")
        if version != FORMAT:
            raise self._broken(f"it has format {version}, and this version of llmtest reads format {FORMAT}")
        damage = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if damage != "ok":
            raise self._broken(f"it is damaged: {str(damage).splitlines()[-1]}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")

    def _disconnect(self) -> None:
        if self._connection is not None:
            if self._owner == os.getpid():
                self._connection.close()
            else:
                _inherited.append(self._connection)
        self._connection = None

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn what SQLite and the system say into one error of ours."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            if "locked" in str(error):
                raise ConfigurationError(
                    f"the budget ledger `{self.path}` is locked by another process for more than {self._timeout:g} s; "
                    "nothing was changed.\n"
                    "To fix: end the process that holds the lock, or wait longer: "
                    "SqliteBudgetStore(path, timeout=30)."
                ) from error
            self._disconnect()
            raise self._broken(str(error)) from error
        except FileNotFoundError as error:
            raise self._broken("its folder is missing", "make it; only the ledger itself is made here") from error
        except PermissionError as error:
            raise self._broken("this user may not write it", ALLOW) from error
        except OSError as error:
            raise self._broken(str(error.strerror or error)) from error

    def _broken(self, why: str, fix: str = RESTORE) -> ConfigurationError:
        return ConfigurationError(
            f"the budget ledger `{self.path}` cannot be used: {why}; nothing was changed.\nTo fix: {fix}."
        )


def _read(connection: sqlite3.Connection, bucket: str) -> Balance:
    row = connection.execute(
        "SELECT spent_tokens, spent_usd, reserved_tokens, reserved_usd FROM balances WHERE bucket = ?", (bucket,)
    ).fetchone()
    return Balance() if row is None else Balance(row[0], Decimal(row[1]), row[2], Decimal(row[3]))


def _write(connection: sqlite3.Connection, bucket: str, balance: Balance) -> None:
    connection.execute(
        "INSERT OR REPLACE INTO balances (bucket, spent_tokens, spent_usd, reserved_tokens, reserved_usd) "
        "VALUES (?, ?, ?, ?, ?)",
        (bucket, balance.spent_tokens, str(balance.spent_usd), balance.reserved_tokens, str(balance.reserved_usd)),
    )


def _move(connection: sqlite3.Connection, bucket: str, hold: Hold, tokens: int, usd: Decimal) -> Spent:
    """Give back what a hold has in one bucket, and charge what was spent instead."""
    balance = _read(connection, bucket)
    balance.reserved_tokens -= hold.tokens
    balance.reserved_usd = EXACT.subtract(balance.reserved_usd, hold.usd)
    balance.spent_tokens += tokens
    balance.spent_usd = EXACT.add(balance.spent_usd, usd)
    _write(connection, bucket, balance)
    return balance.spent_tokens, balance.spent_usd


def _delete(connection: sqlite3.Connection, number: int) -> bool:
    return connection.execute("DELETE FROM holds WHERE id = ?", (number,)).rowcount == 1
