"""Health in Redis: what one process is told of a provider, all know; and only one of them asks it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llmtest.resilience import HealthReading, HealthRules
from llmtest.stores._outages import tell_failure
from llmtest.stores._redis_server import RedisServer, Script, server_of
from llmtest.types._closing import Closing

__all__ = ["RedisHealthStore"]

STATE = """
local interval, failures, successes, now = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local data = redis.call('GET', KEYS[1])
local s = data and cmsgpack.unpack(data) or {is_ill = false, failures = 0, successes = 0, since = 0}
local function keep()
  redis.call('SET', KEYS[1], cmsgpack.pack(s), 'PX', 86400000 + math.ceil(interval / 1000))
end
local function answer(says)
  local told = s.told and string.format('%.0f', s.told) or ''
  return {says and 1 or 0, s.is_ill and 1 or 0, s.failures, s.successes, string.format('%.0f', s.since), told}
end
"""
CLAIM = Script(
    STATE
    + """
local is_due = s.told and math.abs(now - s.told) >= interval
if not s.told or is_due then
  s.told = now
  keep()
end
return answer(is_due)
"""
)
RECORD = Script(
    STATE
    + """
s.told = now
if ARGV[5] == 'failure' then
  s.failures, s.successes = s.failures + 1, 0
elseif ARGV[5] == 'success' then
  s.failures, s.successes = 0, s.successes + 1
end
local changes = s.failures >= failures
if s.is_ill then
  changes = s.successes >= successes
end
if changes then
  s.is_ill, s.since = not s.is_ill, now
end
keep()
return answer(changes)
"""
)
READ = Script(STATE + "return answer(false)")


class RedisHealthStore(Closing):
    """Who is ill, for all processes and machines; of all that could probe a provider, one does.

    Whether a probe is due is one round trip, and what is told of a provider another. The rules are those of whoever
    asks: give every process the same. Times are told by the callers' wall clocks; those that differ by more than an
    interval probe more often. While the server cannot be asked nobody is probed, chains go by what they were told last,
    and the trace has a `StoreFailed`.

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
        self._namespace = namespace

    def health(self, name: str, rules: HealthRules) -> RedisHealth:
        """Return the health of a name; nothing is asked for it yet."""
        return RedisHealth(self._server, f"{{{self._namespace}:health}}:{name}", rules)

    def close(self) -> None:
        """Close the connections of threads; the next call opens them again. Those of a loop end with it."""
        self._server.close()


class RedisHealth:
    """The health of one provider in Redis, seen from this process.

    Args:
        server: The server.
        key: Where it is.
        rules: What it is decided by.
    """

    def __init__(self, server: RedisServer, key: str, rules: HealthRules) -> None:
        self._server = server
        self._keys = (key,)
        self._rules = (rules.interval_ns // 1000, rules.failures, rules.successes)
        self._known = HealthReading()

    def claim(self, now_ns: int) -> tuple[bool, HealthReading]:
        """Return whether a probe is due, which is then the caller's, and what is known."""
        try:
            return self._learn(self._server.run(CLAIM, self._keys, (*self._rules, now_ns // 1000)))
        except self._server.failures as error:
            return self._unknown("claim", error)

    async def claim_async(self, now_ns: int) -> tuple[bool, HealthReading]:
        """Do as `claim`, on the event loop."""
        try:
            return self._learn(await self._server.run_async(CLAIM, self._keys, (*self._rules, now_ns // 1000)))
        except self._server.failures as error:
            return self._unknown("claim", error)

    def record(self, told: str, now_ns: int) -> tuple[bool, HealthReading]:
        """Note what was told; return whether that changed the state, and what is known now."""
        try:
            return self._learn(self._server.run(RECORD, self._keys, (*self._rules, now_ns // 1000, told)))
        except self._server.failures as error:
            return self._unknown("record", error)

    async def record_async(self, told: str, now_ns: int) -> tuple[bool, HealthReading]:
        """Do as `record`, on the event loop."""
        try:
            return self._learn(await self._server.run_async(RECORD, self._keys, (*self._rules, now_ns // 1000, told)))
        except self._server.failures as error:
            return self._unknown("record", error)

    def read(self) -> HealthReading:
        """Return what is known; while the server cannot be asked, what was known last."""
        try:
            return self._learn(self._server.run(READ, self._keys, (*self._rules, 0)))[1]
        except self._server.failures as error:
            return self._unknown("read", error)[1]

    def _learn(self, given: Sequence[Any]) -> tuple[bool, HealthReading]:
        says, is_ill, failures, successes, since, told = given
        told_ns = None if told == b"" else int(told) * 1000
        self._known = HealthReading(bool(is_ill), failures, successes, int(since) * 1000, told_ns)
        return bool(says), self._known

    def _unknown(self, operation: str, error: Exception) -> tuple[bool, HealthReading]:
        tell_failure("health", operation, error)
        return False, self._known
