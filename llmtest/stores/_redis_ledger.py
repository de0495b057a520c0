"""An account in Redis, for many processes and machines."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from llmtest.costs._ledger_entry import Row
from llmtest.costs._ledger_store import Mark
from llmtest.costs._row_text import row_from, row_text
from llmtest.stores._redis_account import ONCE_MS, RedisAccount
from llmtest.stores._redis_server import Script
from llmtest.types._closing import Closing

__all__ = ["RedisLedgerStore"]

APPEND = Script(
    """
if redis.call('SET', KEYS[2], '1', 'NX', 'PX', ARGV[1]) then
  for number = 2, #ARGV do
    redis.call('RPUSH', KEYS[1], ARGV[number])
  end
end
return redis.call('LLEN', KEYS[1])
"""
)
READ = Script(
    """
local life, place = tonumber(redis.call('GET', KEYS[2]) or '0'), tonumber(ARGV[2])
if tonumber(ARGV[1]) ~= life then
  place = 0
end
return {life, place, redis.call('LRANGE', KEYS[1], place, place + tonumber(ARGV[3]) - 1)}
"""
)
CLEAR = Script(
    """
redis.call('DEL', KEYS[1])
return redis.call('INCR', KEYS[2])
"""
)


class RedisLedgerStore(Closing):
    """Entries in Redis, for every process that names the same server and namespace.

    An entry is on the server when `CostLedger.record` returns: one script, one round trip, and entered once even if the
    answer is lost and it is sent again. How long it stays there is a matter of the server: for an account that outlives
    a crash of its machine, let it write a journal (`appendonly yes`), and let it evict nothing
    (`maxmemory-policy noeviction`). A call on an event loop waits for the round trip, so keep the server near. The
    entries say who asked which model for whom, and hold the labels of requests; they hold no prompt and no answer.

    Args:
        url: The server: `redis://user:password@host:6379/0`, `rediss://` for TLS, or `unix://`. Any Redis from 4.0 on,
            or what speaks like it.
        namespace: Begins the name of every key. In a cluster, all keys of one namespace are on one node.
        timeout: Seconds to wait for a connection and for an answer, above 0. This wait is real, also where time is
            virtual.

    Raises:
        ConfigurationError: The URL is none of Redis, a value is out of range, or `redis` is not installed.
    """

    def __init__(self, url: str, *, namespace: str = "llmtest", timeout: float = 1.0) -> None:
        self._account = RedisAccount(url, namespace, timeout, "ledger", "RedisLedgerStore")
        self._entries, self._life = self._account.key("entries"), self._account.key("life")

    def append(self, rows: Sequence[Row]) -> None:
        """Keep entries, all of them or none."""
        once = self._account.once()
        run, _ = self._account.number()
        self._account.run(APPEND, (self._entries, once), (ONCE_MS, *(row_text(row, run) for row in rows)))

    def read(self, after: Mark, most: int) -> tuple[list[Row], Mark]:
        """Return entries behind a mark, and the mark behind them."""
        life, place, found = self._account.run(READ, (self._entries, self._life), (*after, most))
        try:
            rows = [row_from(line) for line in found]
        except (ValueError, TypeError) as error:
            raise self._account.damaged("an entry") from error
        return rows, Mark(life, place + len(rows))

    def clear(self) -> None:
        """Forget everything."""
        self._account.run(CLEAR, (self._entries, self._life), ())

    def close(self) -> None:
        """Close the connections; the next operation opens them again."""
        self._account.close()

    def __reduce__(self) -> tuple[object, ...]:
        """Let another process, or a copy, use the same account."""
        account = self._account
        return partial(RedisLedgerStore, namespace=account.namespace, timeout=account.timeout), (account.url,)
