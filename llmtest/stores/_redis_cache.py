"""Answers in Redis, shared by processes and machines."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from llmtest.resilience import Absence, CachedAnswer, Room, Similar, Which, answer_matches, decode_answer, encode_answer
from llmtest.stores._redis_server import RedisServer, Script, server_of
from llmtest.types._closing import Closing

__all__ = ["RedisCacheStore"]

DIGITS = 20
"""Width of a time: Lua has floats, which hold no time to the nanosecond; strings of one width compare like numbers."""
DAY_MS = 86_400_000
LONGEST_MS = 1 << 50
"""The longest time that a key is told to last, of 35 thousand years: Redis refuses what overflows."""

COMMON = """
local answers, marks, used, ends, vectors = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local function forget(key)
  local was = redis.call('HDEL', marks, key)
  redis.call('HDEL', answers, key)
  redis.call('HDEL', vectors, key)
  redis.call('ZREM', used, key)
  redis.call('ZREM', ends, key)
  return was
end
local function use(key)
  local last = redis.call('ZREVRANGE', used, 0, 0, 'WITHSCORES')
  redis.call('ZADD', used, (tonumber(last[2]) or 0) + 1, key)
end
local function is_live(mark, now)
  return mark:sub(1, 20) <= now and now < mark:sub(21, 40)
end
"""
FIND = Script(
    COMMON
    + """
local key, now, needs_events = ARGV[1], ARGV[2], ARGV[3]
local mark = redis.call('HGET', marks, key)
local answer = redis.call('HGET', answers, key)
if not mark or not answer then
  forget(key)
  return {'missing'}
end
if not is_live(mark, now) then
  forget(key)
  return {'expired'}
end
if needs_events == '1' and mark:sub(41, 41) == '0' then
  return {'missing'}
end
use(key)
return {'found', answer, redis.call('HGET', vectors, key) or ''}
"""
)
NEAREST = Script(
    COMMON
    + """
local space, vector, threshold, now, needs_events = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4], ARGV[5]
local given = {}
for i = 1, #vector / 8 do
  given[i] = struct.unpack('<d', vector, i * 8 - 7)
end
local best, best_key
local all = redis.call('HGETALL', marks)
for i = 1, #all, 2 do
  local key, mark = all[i], all[i + 1]
  if mark:sub(42) == '=' .. space and is_live(mark, now) and (needs_events == '0' or mark:sub(41, 41) == '1') then
    local other, sum = redis.call('HGET', vectors, key), 0
    if other then
      if #other == #vector then
        for j = 1, #given do
          sum = sum + given[j] * struct.unpack('<d', other, j * 8 - 7)
        end
      end
      if sum >= threshold and (not best or sum > best or (sum == best and key > best_key)) then
        best, best_key = sum, key
      end
    end
  end
end
if not best then
  return {}
end
local answer = redis.call('HGET', answers, best_key)
if not answer then
  forget(best_key)
  return {}
end
use(best_key)
return {best_key, string.format('%.17g', best), answer, redis.call('HGET', vectors, best_key)}
"""
)
PUT = Script(
    COMMON
    + """
local key, mark, ending, answer, vector, now = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local most, surplus, lasting = tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])
forget(key)
redis.call('HSET', marks, key, mark)
redis.call('HSET', answers, key, answer)
redis.call('ZADD', ends, ending, key)
if vector ~= '' then
  redis.call('HSET', vectors, key, vector)
end
use(key)
local expired, evicted = 0, 0
if redis.call('HLEN', marks) > most then
  for _, other in ipairs(redis.call('ZRANGEBYSCORE', ends, '-inf', now)) do
    local held = redis.call('HGET', marks, other)
    if other ~= key and (not held or not is_live(held, now)) then
      expired = expired + forget(other)
    end
  end
  local count = redis.call('HLEN', marks)
  if count > most then
    local going = math.min(count - 1, math.max(surplus, count - most))
    for _, other in ipairs(redis.call('ZRANGE', used, 0, going - 1)) do
      evicted = evicted + forget(other)
    end
  end
end
for _, name in ipairs(KEYS) do
  if redis.call('PTTL', name) < lasting then
    redis.call('PEXPIRE', name, ARGV[9])
  end
end
return {evicted, expired}
"""
)
FORGET = Script(
    COMMON
    + """
local count = 0
for _, key in ipairs(ARGV) do
  count = count + forget(key)
end
return count
"""
)
CLEAR = Script(
    COMMON
    + """
local count = redis.call('HLEN', marks)
redis.call('DEL', answers, marks, used, ends, vectors)
return count
"""
)


class RedisCacheStore(Closing):
    """Answers in Redis, for every process that names the same server and namespace.

    Each decision is one script, and one round trip. Blocking calls and calls on an event loop have connections of their
    own; each loop closes its own as it ends. Answers hold what models said, in plain text: protect the server like a
    log. Their age is told by the wall time of whoever asks, so the machines' clocks must agree as well as you want
    answers to end on time (an answer that was kept later than now is none). The keys go a day after the last answer
    among them could have been used. A call never fails for want of the server: it goes on without the cache, and the
    trace has a `CacheFailed`.

    Args:
        url: The server: `redis://user:password@host:6379/0`, `rediss://` for TLS, or `unix://`. Any Redis from 4.0 on,
            or what speaks like it.
        namespace: Begins the name of every key. In a cluster, all keys of one namespace are on one node.
        timeout: Seconds to wait for a connection and for an answer, above 0; after that the call goes on without the
            cache. This wait is real, also where time is virtual.

    Raises:
        ConfigurationError: The URL is none of Redis, a value is out of range, or `redis` is not installed.
    """

    is_shared = True

    def __init__(self, url: str | RedisServer, *, namespace: str = "llmtest", timeout: float = 1.0) -> None:
        self.namespace = namespace
        self._server = server_of(url, namespace, timeout, rests=True)
        self._keys = [f"{{{namespace}:cache}}:{name}" for name in ("answers", "marks", "used", "ends", "vectors")]

    def find(self, key: str, now_ns: int, needs_events: bool) -> CachedAnswer | Absence:
        """Return the live answer with a key, which is then the one that was used last."""
        given = self._server.run(FIND, self._keys, (key, _time(now_ns), int(needs_events)))
        found = _found(given)
        if found is None:
            self._server.run(FORGET, self._keys, (key,))
        return found or "missing"

    async def find_async(self, key: str, now_ns: int, needs_events: bool) -> CachedAnswer | Absence:
        """Do what `find` does."""
        given = await self._server.run_async(FIND, self._keys, (key, _time(now_ns), int(needs_events)))
        found = _found(given)
        if found is None:
            await self._server.run_async(FORGET, self._keys, (key,))
        return found or "missing"

    def nearest(
        self, space: str, vector: Sequence[float], threshold: float, now_ns: int, needs_events: bool
    ) -> Similar | None:
        """Return the live answer of a space whose vector is most alike, which is then the one that was used last."""
        asked = (space, _packed(vector), repr(float(threshold)), _time(now_ns), int(needs_events))
        given = self._server.run(NEAREST, self._keys, asked)
        similar = _similar(given)
        if given and similar is None:
            self._server.run(FORGET, self._keys, given[:1])
        return similar

    async def nearest_async(
        self, space: str, vector: Sequence[float], threshold: float, now_ns: int, needs_events: bool
    ) -> Similar | None:
        """Do what `nearest` does."""
        asked = (space, _packed(vector), repr(float(threshold)), _time(now_ns), int(needs_events))
        given = await self._server.run_async(NEAREST, self._keys, asked)
        similar = _similar(given)
        if given and similar is None:
            await self._server.run_async(FORGET, self._keys, given[:1])
        return similar

    def put(self, answer: CachedAnswer, room: Room, now_ns: int) -> tuple[int, int]:
        """Keep an answer; return how many others went for want of room, and how many because they had expired."""
        evicted, expired = self._server.run(PUT, self._keys, _kept(answer, room, now_ns))
        return evicted, expired

    async def put_async(self, answer: CachedAnswer, room: Room, now_ns: int) -> tuple[int, int]:
        """Do what `put` does."""
        evicted, expired = await self._server.run_async(PUT, self._keys, _kept(answer, room, now_ns))
        return evicted, expired

    def remove(self, which: Which, where: Callable[[CachedAnswer], bool] | None = None) -> int:
        """Forget answers, by hand; return how many. What cannot be read any more is forgotten as well.

        They are chosen here and forgotten there: an answer that takes the place of a chosen one meanwhile goes too.
        """
        if where is None and which == Which():
            return int(self._server.run(CLEAR, self._keys, ()))
        if where is None and which == Which(key=which.key):
            return int(self._server.run(FORGET, self._keys, (which.key or "",)))
        client: Any = self._server.client
        held, vectors = client.hgetall(self._keys[0]), client.hgetall(self._keys[4])
        meant = []
        for key, data in held.items():
            answer = _read(data, vectors.get(key, b""))
            if answer is None or (answer_matches(answer, which) and (where is None or where(answer))):
                meant.append(key)
        return int(self._server.run(FORGET, self._keys, meant)) if meant else 0

    def size(self) -> int:
        """Return how many answers are kept."""
        client: Any = self._server.client
        return int(client.hlen(self._keys[1]))

    def close(self) -> None:
        """Close the connections of threads; the next call opens them again. Those of a loop end with it."""
        self._server.close()

    async def aclose(self) -> None:
        """Close the connections of threads and of the running loop; the next call opens them again."""
        await self._server.aclose()


def _time(ns: int) -> str:
    return str(max(ns, 0)).zfill(DIGITS)


def _kept(answer: CachedAnswer, room: Room, now_ns: int) -> tuple[str | bytes | int, ...]:
    """Return what the script that keeps an answer is told."""
    ends_ns = answer.stored_ns + answer.ttl_ns
    space = "" if answer.space is None else f"={answer.space}"
    mark = f"{_time(answer.stored_ns)}{_time(ends_ns)}{int(answer.events is not None)}{space}"
    vector = b"" if answer.vector is None else _packed(answer.vector)
    lasting = min(answer.ttl_ns // 1_000_000 + DAY_MS, LONGEST_MS)
    data = encode_answer(replace(answer, vector=None))
    return (answer.key, mark, ends_ns, data, vector, _time(now_ns), room.most, room.surplus, lasting)


def _found(given: Sequence[bytes]) -> CachedAnswer | Absence | None:
    """Return what `find` has found; None where it cannot be read."""
    if given[0] == b"found":
        return _read(given[1], given[2])
    return "expired" if given[0] == b"expired" else "missing"


def _similar(given: Sequence[bytes]) -> Similar | None:
    if not given:
        return None
    answer = _read(given[2], given[3])
    return None if answer is None else Similar(answer, float(given[1]))


def _read(data: bytes, vector: bytes) -> CachedAnswer | None:
    """Return an answer; None where it is damaged, or of another version."""
    try:
        answer = decode_answer(data)
        return replace(answer, vector=struct.unpack(f"<{len(vector) // 8}d", vector)) if vector else answer
    except (ValueError, struct.error):
        return None


def _packed(vector: Sequence[float]) -> bytes:
    return struct.pack(f"<{len(vector)}d", *vector)
