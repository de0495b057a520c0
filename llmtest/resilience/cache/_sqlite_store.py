"""Answers in an SQLite file, shared by every process that opens it and kept after they end."""

from __future__ import annotations

import os
import sqlite3
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from llmtest.clock import Turn
from llmtest.costs._own_connection import OwnConnection
from llmtest.errors import ConfigurationError
from llmtest.resilience.cache._answer_codec import decode_answer, encode_answer
from llmtest.resilience.cache._cache_store import Absence, Room, Similar, Which, matches
from llmtest.resilience.cache._cached_answer import CachedAnswer
from llmtest.resilience.cache._similarity import cosine
from llmtest.types._closing import Closing

__all__ = ["SqliteCacheStore"]

APPLICATION_ID = 0x6C6C6D63
"""Marks the file as one of ours: the letters `llmc`."""
FORMAT = 1
SCHEMA = f"""
BEGIN IMMEDIATE;
CREATE TABLE answers (
    key TEXT PRIMARY KEY, used INTEGER NOT NULL, stored_ns INTEGER NOT NULL, ends_ns INTEGER NOT NULL,
    has_events INTEGER NOT NULL, space TEXT, vector BLOB, answer BLOB NOT NULL
);
CREATE INDEX answers_used ON answers (used);
CREATE INDEX answers_ends ON answers (ends_ns);
CREATE INDEX answers_space ON answers (space) WHERE space IS NOT NULL;
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {FORMAT};
COMMIT;
"""
LATEST_NS = 2**63 - 1
"""The last moment that SQLite can hold, in the year 2262."""
NEXT = "(SELECT COALESCE(MAX(used), 0) + 1 FROM answers)"
COLUMNS = "key, used, stored_ns, ends_ns, has_events, space, vector, answer"
LIVE = "stored_ns <= :now AND ends_ns > :now"


class SqliteCacheStore(Closing):
    """Answers in a file that several processes may use at the same time, and that is still there tomorrow.

    Keep it on a local disk. It may be deleted at any time: a cache can always begin anew. Its answers hold what models
    said, in plain text; protect it like a log. Their age is told by wall time.

    Args:
        path: The file; made where it is missing. Its folder must exist.
        timeout: Seconds to wait for another process's transaction, 0 or more; after that the call goes on without the
            cache. This wait is real, also where time is virtual.

    Raises:
        ConfigurationError: The file cannot be opened, or is another one's.
    """

    is_shared = True

    def __init__(self, path: str | Path, *, timeout: float = 1.0) -> None:
        if not timeout >= 0:
            raise ConfigurationError(f"timeout must be 0 or more seconds, got {timeout}")
        self.path = Path(path)
        self.timeout = timeout
        self._real = Path(os.path.realpath(self.path))
        self._turn = Turn()
        self._held = OwnConnection()
        try:
            with self._turn:
                self._open()
        except (sqlite3.Error, OSError) as error:
            raise ConfigurationError(
                f"the cache file `{self.path}` cannot be used: {error}.\n"
                "To fix: name a file in a folder that is there and that this user may write, or move away what is there"
            ) from error

    def _open(self) -> sqlite3.Connection:
        """Return this process's connection: one that was made before a fork belongs to the parent."""
        current = self._held.current
        if current is not None and self._real.exists():
            return current
        self._held.let_go()
        connection = sqlite3.connect(self._real, timeout=self.timeout, isolation_level=None, check_same_thread=False)
        try:
            self._prepare(connection)
        except BaseException:
            connection.close()
            raise
        self._held.take(connection)
        return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        if not _number(connection, "SELECT COUNT(*) FROM sqlite_master"):
            with suppress(sqlite3.OperationalError):  # another process was faster, or it fails below as well
                connection.executescript(SCHEMA)
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        found = _number(connection, "PRAGMA application_id"), _number(connection, "PRAGMA user_version")
        if found != (APPLICATION_ID, FORMAT):
            raise sqlite3.DatabaseError("it is an SQLite file of something else, or of another version of llmtest")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """Take the write lock; keep what is done inside as a whole, or not at all."""
        with self._turn:
            connection = self._open()
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")
                raise

    def find(self, key: str, now_ns: int, needs_events: bool) -> CachedAnswer | Absence:
        """Return the live answer with a key, which is then the one that was used last."""
        with self._transaction() as connection:
            row = connection.execute(
                f"SELECT answer, vector, has_events, {LIVE} FROM answers WHERE key = :key",  # noqa: S608 - our own words
                {"key": key, "now": now_ns},
            ).fetchone()
            if row is None:
                return "missing"
            answer = _read(row[0], row[1])
            if answer is None or not row[3]:
                connection.execute("DELETE FROM answers WHERE key = ?", (key,))
                return "missing" if answer is None else "expired"
            if needs_events and not row[2]:
                return "missing"
            _use(connection, key)
            return answer

    def nearest(
        self, space: str, vector: Sequence[float], threshold: float, now_ns: int, needs_events: bool
    ) -> Similar | None:
        """Return the live answer of a space whose vector is most alike, which is then the one that was used last."""
        with self._transaction() as connection:
            rows = connection.execute(
                f"SELECT key, vector FROM answers WHERE space = :space AND {LIVE} AND has_events >= :least",  # noqa: S608 - our own words
                {"space": space, "now": now_ns, "least": int(needs_events)},
            ).fetchall()
            alike = [(cosine(vector, _unpacked(held)), key) for key, held in rows]
            best, key = max(alike, default=(-1.0, ""))
            if best < threshold:
                return None
            row = connection.execute("SELECT answer, vector FROM answers WHERE key = ?", (key,)).fetchone()
            answer = _read(*row)
            if answer is None:
                connection.execute("DELETE FROM answers WHERE key = ?", (key,))
                return None
            _use(connection, key)
            return Similar(answer, best)

    def put(self, answer: CachedAnswer, room: Room, now_ns: int) -> tuple[int, int]:
        """Keep an answer; return how many others went for want of room, and how many because they had expired."""
        row = {
            "key": answer.key,
            "stored": answer.stored_ns,
            "ends": min(answer.stored_ns + answer.ttl_ns, LATEST_NS),
            "events": int(answer.events is not None),
            "space": answer.space,
            "vector": None if answer.vector is None else _packed(answer.vector),
            "answer": encode_answer(replace(answer, vector=None)),
        }
        with self._transaction() as connection:
            connection.execute(
                f"INSERT OR REPLACE INTO answers ({COLUMNS}) "  # noqa: S608 - our own words
                f"VALUES (:key, {NEXT}, :stored, :ends, :events, :space, :vector, :answer)",
                row,
            )
            count = _number(connection, "SELECT COUNT(*) FROM answers")
            if count <= room.most:
                return 0, 0
            over = connection.execute(
                f"DELETE FROM answers WHERE NOT ({LIVE}) AND key != :key",  # noqa: S608 - our own words
                {"now": now_ns, "key": answer.key},
            ).rowcount
            count -= over
            evicted = min(count - 1, max(room.surplus, count - room.most)) if count > room.most else 0
            connection.execute(
                "DELETE FROM answers WHERE key IN (SELECT key FROM answers WHERE key != ? ORDER BY used LIMIT ?)",
                (answer.key, evicted),
            )
            return evicted, over

    def remove(self, which: Which, where: Callable[[CachedAnswer], bool] | None = None) -> int:
        """Forget answers, by hand; return how many. What cannot be read any more is forgotten as well."""
        with self._transaction() as connection:
            if which == Which() and where is None:
                return connection.execute("DELETE FROM answers").rowcount
            meant = []
            for key, *held in connection.execute("SELECT key, answer, vector FROM answers ORDER BY used"):
                answer = _read(*held)
                if answer is None or (matches(answer, which) and (where is None or where(answer))):
                    meant.append((key,))
            connection.executemany("DELETE FROM answers WHERE key = ?", meant)
            return len(meant)

    def size(self) -> int:
        """Return how many answers are kept."""
        with self._turn:
            return _number(self._open(), "SELECT COUNT(*) FROM answers")

    def close(self) -> None:
        """Close the file; the next call opens it again."""
        with self._turn:
            self._held.let_go()


def _number(connection: sqlite3.Connection, statement: str) -> int:
    return int(connection.execute(statement).fetchone()[0])


def _use(connection: sqlite3.Connection, key: str) -> None:
    connection.execute(f"UPDATE answers SET used = {NEXT} WHERE key = ?", (key,))  # noqa: S608 - our own words


def _read(data: bytes, vector: bytes | None) -> CachedAnswer | None:
    """Return an answer; None where it is damaged, or of another version."""
    try:
        answer = decode_answer(data)
    except ValueError:
        return None
    return answer if vector is None else replace(answer, vector=_unpacked(vector))


def _packed(vector: Sequence[float]) -> bytes:
    return struct.pack(f"<{len(vector)}d", *vector)


def _unpacked(data: bytes) -> tuple[float, ...]:
    return struct.unpack(f"<{len(data) // 8}d", data)
