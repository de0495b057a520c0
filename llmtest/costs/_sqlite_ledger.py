"""An account in an SQLite file, shared by every process that opens it and kept after they end.

Each entry is a row of the table `entries`, so that other tools can read it too. Amounts are decimal text, because
SQLite's own numbers would round them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from contextlib import suppress
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

from llmtest.costs._ledger_entry import NO_METADATA, Row
from llmtest.costs._ledger_store import Mark
from llmtest.costs._sqlite_file import FileKind, SqliteFile
from llmtest.costs._usage_text import usage_from, usage_text
from llmtest.errors import ConfigurationError
from llmtest.types._closing import Closing

__all__ = ["SqliteLedgerStore"]

KIND = FileKind(
    noun="cost ledger",
    store="SqliteLedgerStore",
    example="costs.db",
    application_id=0x6C6C6D65,  # `llme`
    format=1,
    schema="""
CREATE TABLE entries (
    id INTEGER PRIMARY KEY AUTOINCREMENT, provider TEXT NOT NULL, model TEXT, purpose TEXT NOT NULL,
    input_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL, cost_usd TEXT, usage TEXT NOT NULL,
    at_ns INTEGER NOT NULL, time_ns INTEGER NOT NULL, run INTEGER NOT NULL, call INTEGER NOT NULL,
    service_tier TEXT, requested_model TEXT, label TEXT, task TEXT, tenant TEXT, test TEXT, metadata TEXT,
    billed INTEGER NOT NULL
);
CREATE TABLE runs (id INTEGER PRIMARY KEY AUTOINCREMENT);
CREATE TABLE lives (id INTEGER PRIMARY KEY AUTOINCREMENT);
INSERT INTO lives DEFAULT VALUES;
""",
)
NAMES = (
    "provider, model, purpose, input_tokens, output_tokens, cost_usd, usage, at_ns, time_ns, run, call, service_tier, "
    "requested_model, label, task, tenant, test, metadata, billed"
)
INSERT = f"INSERT INTO entries ({NAMES}) VALUES ({', '.join('?' * 19)})"  # noqa: S608 - our own words
READ = f"SELECT id, {NAMES} FROM entries WHERE id > ? ORDER BY id LIMIT ?"  # noqa: S608 - our own words
LIFE = "SELECT MAX(id) FROM lives"


class SqliteLedgerStore(Closing):
    """Entries in a file, for every process that opens it and after they end.

    An entry is in the file when `CostLedger.record` returns, and stays there if the process is killed at any moment; of
    several entries that belong together there are all or none. Only a machine that loses its power may lose the last
    ones. Keep the file on a local disk; copy, move or restore it only while no process has it open, together with the
    journal (`-wal`) that a killed process may have left. It is closed by `close`, at the end of a `with` block, or with
    the last reference. Pickled or copied, it is the same file, opened once more.

    Args:
        path: The file; made where it is missing. Its folder must exist.
        timeout: Seconds to wait for another process's transaction; 0 or more, default 5. This wait is real, also
            where time is virtual.

    Raises:
        ConfigurationError: The file cannot be opened, is no ledger, is damaged, or stays locked. Nothing was changed.

    Example:
        >>> from llmtest.costs import CostLedger
        >>> with SqliteLedgerStore(tmp_path / "costs.db") as store:
        ...     CostLedger(store=store).record("openai", "gpt-4o", Usage(1000, 100), Decimal("0.0035"))
        >>> CostLedger(store=store).total_usd
        Decimal('0.0035')
    """

    def __init__(self, path: str | Path, *, timeout: float = 5.0) -> None:
        self._file = SqliteFile(path, timeout, KIND)
        self._run = (0, 0)
        """Which process has which number as a run."""

    @property
    def path(self) -> Path:
        """The file."""
        return self._file.path

    def append(self, rows: Sequence[Row]) -> None:
        """Keep entries, all of them or none."""
        with self._file.turn as is_free:
            if is_free:
                self._append(rows)
            else:
                self._file.turn.later(partial(self._try, rows))

    def _try(self, rows: Sequence[Row]) -> None:
        with suppress(ConfigurationError):
            self._append(rows)

    def _append(self, rows: Sequence[Row]) -> None:
        with self._file.transaction() as connection:
            owner, run = self._run
            if owner != os.getpid():
                run = connection.execute("INSERT INTO runs DEFAULT VALUES").lastrowid or 0
            for row in rows:
                connection.execute(INSERT, _columns(row, run))
        self._run = (os.getpid(), run)

    def read(self, after: Mark, most: int) -> tuple[list[Row], Mark]:
        """Return entries behind a mark, and the mark behind them."""
        with self._file.transaction(writes=False) as connection:
            (life,) = connection.execute(LIFE).fetchone()
            place = after.place if after.life == life else 0
            found = connection.execute(READ, (place, most)).fetchall()
            rows = [_row(columns) for columns in found]
        return rows, Mark(life, found[-1][0] if found else place)

    def clear(self) -> None:
        """Forget everything."""
        with self._file.transaction() as connection:
            connection.execute("DELETE FROM entries")
            connection.execute("INSERT INTO lives DEFAULT VALUES")

    def close(self) -> None:
        """Close the file; the next operation opens it again."""
        self._file.close()

    def __reduce__(self) -> tuple[object, ...]:
        """Let another process, or a copy, open the same file."""
        return partial(SqliteLedgerStore, timeout=self._file.timeout), (self.path.absolute(),)


def _columns(row: Row, run: int) -> tuple[Any, ...]:
    """Return a row as it stands in the table."""
    provider, model, usage, cost, purpose, at_ns, call, tier, metadata, *names, time_ns, billed, _ = row
    labels = json.dumps(dict(metadata)) if metadata else None
    money = None if cost is None else str(cost)
    tokens = (usage.input_tokens, usage.output_tokens, money, usage_text(usage))
    return (provider, model, purpose, *tokens, at_ns, time_ns, run, call, tier, *names, labels, billed)


def _row(columns: tuple[Any, ...]) -> Row:
    _, provider, model, purpose, _, _, money, usage, at_ns, time_ns, run, call, tier, *names, labels, billed = columns
    requested, label, task, tenant, test = names
    metadata = NO_METADATA if labels is None else json.loads(labels)
    cost = None if money is None else Decimal(money)
    facts = (requested, label, task, tenant, test, time_ns, bool(billed), run)
    return (provider, model, usage_from(usage), cost, purpose, at_ns, call, tier, metadata, *facts)
