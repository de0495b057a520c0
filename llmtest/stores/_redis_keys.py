"""Refused keys in Redis: a key that one process was refused with is not tried by all others too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llmtest.clock import active_clock
from llmtest.resilience import KeyRecord
from llmtest.stores._redis_server import RedisServer, Script, server_of
from llmtest.types._closing import Closing

__all__ = ["RedisKeyStore"]

LOOK = Script("""
local label, trial, now = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local status, at, till = (redis.call('HGET', KEYS[1], label) or ''):match('(%d+):(%d+):(%d+)')
if not status then
  return {}
end
if now < tonumber(till) then
  return {status, at, till}
end
redis.call('HSET', KEYS[1], label, string.format('%s:%s:%.0f', status, at, now + trial))
return {}
""")
REMEMBER = Script("""
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[3]) then
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
end
return 1
""")
FORGET = Script("return redis.call('HDEL', KEYS[1], ARGV[1])")
DAY_MS = 86_400_000
LONGEST_MS = 1 << 50


class RedisKeyStore(Closing):
    """The keys that were refused, for all processes and machines: by their labels, never the keys.

    Whoever asks with a key looks here first, in one round trip; of all that do after its time has passed, one may try
    it. That it was refused, or is taken again, is one round trip each. Times are told by the callers' wall clocks.
    While the server cannot be asked a chain goes by what it has seen itself, and the trace has a `StoreFailed`.

    Args:
        url: The server, as for `RedisCacheStore`.
        namespace: Begins the name of every key.
        timeout: Seconds to wait for a connection and for an answer, above 0. The wait is real, also in virtual time.

    Raises:
        ConfigurationError: The URL is none of Redis, a value is out of range, or `redis` is not installed.
    """

    is_shared = True

    def __init__(self, url: str | RedisServer, *, namespace: str = "llmtest", timeout: float = 1.0) -> None:
        self._server = server_of(url, namespace, timeout, rests=True)
        self._keys = (f"{{{namespace}:keys}}:refused",)

    def look(self, label: str, trial_ns: int, now_ns: int) -> KeyRecord | None:
        """Return what keeps a call from trying a key."""
        return _record(self._server.run(LOOK, self._keys, (label, trial_ns // 1000, now_ns // 1000)))

    async def look_async(self, label: str, trial_ns: int, now_ns: int) -> KeyRecord | None:
        """Do as `look`, on the event loop."""
        return _record(await self._server.run_async(LOOK, self._keys, (label, trial_ns // 1000, now_ns // 1000)))

    def remember(self, label: str, record: KeyRecord) -> None:
        """Keep that a key was refused."""
        self._server.run(REMEMBER, self._keys, _told(label, record))

    async def remember_async(self, label: str, record: KeyRecord) -> None:
        """Do as `remember`, on the event loop."""
        await self._server.run_async(REMEMBER, self._keys, _told(label, record))

    def forget(self, label: str) -> None:
        """Say that a key was taken."""
        self._server.run(FORGET, self._keys, (label,))

    async def forget_async(self, label: str) -> None:
        """Do as `forget`, on the event loop."""
        await self._server.run_async(FORGET, self._keys, (label,))

    def close(self) -> None:
        """Close the connections of threads; the next call opens them again. Those of a loop end with it."""
        self._server.close()


def _record(given: Sequence[Any]) -> KeyRecord | None:
    if not given:
        return None
    status, at_us, until_us = map(int, given)
    return KeyRecord(status, at_us * 1000, until_us * 1000)


def _told(label: str, record: KeyRecord) -> tuple[str | int, ...]:
    # Rounded up, so that nobody tries a key a part of a microsecond before it is time.
    until_us = -(-record.until_ns // 1000)
    left_ms = max(0, record.until_ns - active_clock().time_ns()) // 1_000_000
    return (label, f"{record.status}:{record.at_ns // 1000}:{until_us}", min(left_ms + DAY_MS, LONGEST_MS))
