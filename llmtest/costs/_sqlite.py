"""Balances in an SQLite file, shared by every process that opens it and kept after they end.

Each operation is one transaction that takes the write lock first, so that two processes never judge by the same
balance. Amounts are stored as decimal text: SQLite's own numbers would round them.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from functools import partial
from pathlib import Path

from llmtest.costs._money import EXACT, ZERO
from llmtest.costs._sqlite_file import FileKind, SqliteFile
from llmtest.costs._store import Balance, Hold, Overrun, Spent, closed, give_back, overruns, spend
from llmtest.errors import ConfigurationError
from llmtest.types._closing import Closing

__all__ = ["SqliteBudgetStore"]

KIND = FileKind(
    noun="budget ledger",
    store="SqliteBudgetStore",
    example="budget.db",
    application_id=0x6C6C6D74,  # `llmt`
    format=1,
    schema="""
CREATE TABLE balances (
    bucket TEXT PRIMARY KEY, spent_tokens INTEGER NOT NULL, spent_usd TEXT NOT NULL,
    reserved_tokens INTEGER NOT NULL, reserved_usd TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE holds (
    id INTEGER PRIMARY KEY AUTOINCREMENT, buckets TEXT NOT NULL, tokens INTEGER NOT NULL, usd TEXT NOT NULL,
    at_ns INTEGER NOT NULL
);
CREATE TABLE sessions (id INTEGER PRIMARY KEY AUTOINCREMENT);
""",
)
LATEST_NS = 2**63 - 1
"""The last moment that SQLite can hold, in the year 2262."""


class SqliteBudgetStore(Closing):
    """Balances in a file, atomic across threads and processes.

    A process that dies in the middle of a call leaves what that call had reserved in the file, where it goes on
    counting, since the provider may well have billed the call; `release_abandoned` gives it back. Keep the file on a
    local disk; copy, move or restore it only while no process has it open, together with the journal (`-wal`) that a
    killed process may have left. It is closed by `close`, at the end of a `with` block, or with the last reference.
    Pickled or copied, it is the same file, opened once more.

    Args:
        path: The file; made where it is missing. Its folder must exist.
        timeout: Seconds to wait for another process's transaction; 0 or more, default 5. This wait is real, also
            where time is virtual.

    Raises:
        ConfigurationError: The file cannot be opened, is no ledger, is damaged, or stays locked. Nothing was changed.
    """

    def __init__(self, path: str | Path, *, timeout: float = 5.0) -> None:
        self._file = SqliteFile(path, timeout, KIND)

    @property
    def path(self) -> Path:
        """The file."""
        return self._file.path

    def new_session(self) -> str:
        """Return a name that no session of this file has had."""
        with self._file.transaction() as connection:
            return f"session:{connection.execute('INSERT INTO sessions DEFAULT VALUES').lastrowid}"

    def hold(self, hold: Hold) -> tuple[Overrun, ...]:
        """Set an amount aside, unless that could pass a halting limit."""
        own = [] if hold.own is None else [hold.own]
        with self._file.turn:
            with self._file.transaction() as connection:
                balances = [_read(connection, bucket) for bucket in hold.buckets]
                over = overruns(balances + own, hold)
                if any(overrun.limit.halt for overrun in over):
                    return over
                for bucket, balance in zip(hold.buckets, balances, strict=True):
                    _set_aside(balance, hold)
                    _write(connection, bucket, balance)
                moment = max(min(hold.at_ns, LATEST_NS), -LATEST_NS)
                row = (json.dumps(hold.buckets), hold.tokens, str(hold.usd), moment)
                cursor = connection.execute("INSERT INTO holds (buckets, tokens, usd, at_ns) VALUES (?, ?, ?, ?)", row)
                number = cursor.lastrowid or 0
            for balance in own:
                _set_aside(balance, hold)
            hold.id = number
            hold.owner = os.getpid()
            hold.is_open = True
        return over

    def settle(self, hold: Hold, tokens: int, usd: Decimal) -> tuple[Spent, ...]:
        """Replace what was set aside by what was spent, in the process that set it aside.

        What somebody gave back in the meantime (`release_abandoned`) is charged all the same: it was spent.
        """
        with self._file.turn as is_free:
            if not hold.is_open:
                raise closed(hold)
            if hold.owner != os.getpid():
                raise RuntimeError(
                    "a reservation is settled in the process that made it, and this one was made by process "
                    f"{hold.owner}. To fix: settle it there; for spend of this process, reserve in it"
                )
            if is_free:
                return self._settle(hold, tokens, usd)
            self._file.turn.later(partial(self._try, self._settle, hold, tokens, usd))
            return ()

    def _settle(self, hold: Hold, tokens: int, usd: Decimal) -> tuple[Spent, ...]:
        with self._file.transaction() as connection:
            held = hold if _delete(connection, hold.id) else Hold(hold.buckets, (), 0, ZERO, 0)
            spent = [_move(connection, bucket, held, tokens, usd) for bucket in hold.buckets]
        if hold.own is not None:
            give_back(hold.own, hold)
            spent.append(spend(hold.own, tokens, usd))
        hold.is_open = False
        return tuple(spent)

    def release(self, hold: Hold) -> bool:
        """Give back what was set aside, in the process that set it aside; False where it is not held any more."""
        with self._file.turn as is_free:
            if not hold.is_open or hold.owner != os.getpid():
                return False
            if is_free:
                return self._release(hold)
            self._file.turn.later(partial(self._try, self._release, hold))
            return True

    def _try(self, operation: Callable[..., object], *arguments: object) -> None:
        """Do what nobody waits for. Where the file cannot be written, the reservation stays in it and counts on."""
        with suppress(ConfigurationError):
            operation(*arguments)

    def _release(self, hold: Hold) -> bool:
        with self._file.transaction() as connection:
            held = _delete(connection, hold.id)
            if held:
                for bucket in hold.buckets:
                    _move(connection, bucket, hold, 0, ZERO)
        if hold.own is not None:
            give_back(hold.own, hold)
        hold.is_open = False
        return held

    def charge(self, buckets: tuple[str, ...], tokens: int, usd: Decimal) -> tuple[Spent, ...]:
        """Add what was spent without having been set aside."""
        nothing = Hold(buckets, (), 0, ZERO, 0)
        with self._file.transaction() as connection:
            return tuple(_move(connection, bucket, nothing, tokens, usd) for bucket in buckets)

    def balance(self, bucket: str) -> Balance:
        """Return one balance."""
        with self._file.transaction() as connection:
            return _read(connection, bucket)

    def release_abandoned(self, before_ns: int) -> int:
        """Give back what was reserved before a moment and never settled, because its process died.

        A call that is still running after all is charged what it cost when it ends, but no limit knows of it until
        then.

        Args:
            before_ns: Wall time, in nanoseconds since 1970, of the clock the budgets used. Choose it so far back
                that no call of a living process can be older.

        Returns:
            How many reservations were given back.

        Raises:
            ConfigurationError: The moment is no whole number, or the file cannot be used.
        """
        if type(before_ns) is not int:
            raise ConfigurationError(f"`before_ns` must be a whole number of nanoseconds, got {before_ns!r}")
        before_ns = max(min(before_ns, LATEST_NS), -LATEST_NS)
        with self._file.transaction() as connection:
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
        self._file.close()

    def __reduce__(self) -> tuple[object, ...]:
        """Let another process, or a copy, open the same file."""
        return partial(SqliteBudgetStore, timeout=self._file.timeout), (self.path.absolute(),)


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


def _set_aside(balance: Balance, hold: Hold) -> None:
    balance.reserved_tokens += hold.tokens
    balance.reserved_usd = EXACT.add(balance.reserved_usd, hold.usd)


def _move(connection: sqlite3.Connection, bucket: str, hold: Hold, tokens: int, usd: Decimal) -> Spent:
    """Give back what a hold has in one bucket, and charge what was spent instead."""
    balance = _read(connection, bucket)
    give_back(balance, hold)
    spent = spend(balance, tokens, usd)
    _write(connection, bucket, balance)
    return spent


def _delete(connection: sqlite3.Connection, number: int) -> bool:
    return connection.execute("DELETE FROM holds WHERE id = ?", (number,)).rowcount == 1
