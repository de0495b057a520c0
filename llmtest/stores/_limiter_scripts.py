"""What a limiter decides, as scripts that run in Redis: what `MemoryLimiterStore` does, line by line.

Each key of a provider has seven keys there. Times are microseconds, which Lua's numbers hold exactly until the year
2255. A request is known by a number that Redis gives it when it asks first; by that number it also stands in the queue.
"""

from __future__ import annotations

from llmtest.stores._redis_server import Script

__all__ = ["ACQUIRE", "COUNTS", "NAMES", "RELEASE"]

NAMES = ("state", "taken", "amounts", "running", "queue", "seen", "sizes")
"""Sums and what the provider told; when each request of the last minute went; what it counts as; until when each that
runs holds its slot at most; who waits; when each of these asked last; prompt and tokens of those two."""

STATE = """
local state_key, taken, amounts, running, queue, seen, sizes = unpack(KEYS)
local MINUTE, SILENCE, DAY_MS = 60000000, 10000000, 86400000
local now = tonumber(ARGV[1])
local data = redis.call('GET', state_key)
local s = data and cmsgpack.unpack(data) or {requests = 0, tokens = 0, closed = 0, last = 0, told = {}}
local function pair(text)
  local one, other = (text or '0:0'):match('(%d+):(%d+)')
  return tonumber(one), tonumber(other)
end
local function far(key, to)
  -- What is later than a minute from now was told by a clock that is wrong, or of another simulation.
  local ids = redis.call('ZRANGEBYSCORE', key, '-inf', to)
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', key, now + MINUTE, '+inf')) do
    ids[#ids + 1] = id
  end
  return ids
end
local function leave(id)
  redis.call('ZREM', queue, id)
  redis.call('ZREM', seen, id)
end
for _, id in ipairs(far(taken, now - MINUTE)) do
  local requests, tokens = pair(redis.call('HGET', amounts, id))
  s.requests, s.tokens = s.requests - requests, s.tokens - tokens
  redis.call('HDEL', amounts, id)
  redis.call('ZREM', taken, id)
end
if redis.call('ZCARD', taken) == 0 then
  s.requests, s.tokens = 0, 0
end
for _, id in ipairs(redis.call('ZRANGEBYSCORE', running, '-inf', now)) do
  redis.call('ZREM', running, id)
  redis.call('HDEL', sizes, id)
end
for _, id in ipairs(far(seen, now - SILENCE)) do
  leave(id)
  redis.call('HDEL', sizes, id)
end
local function of_kind(kind, prompt, tokens)
  if kind == 'requests' then
    return 1
  end
  if kind == 'input_tokens' then
    return prompt
  end
  return kind == 'output_tokens' and tokens - prompt or tokens
end
local function refill(told)
  if now > told.at then
    told.level = math.min(told.limit * told.period, told.level + (now - told.at) * told.limit)
    told.at = now
  end
end
local function keep()
  redis.call('SET', state_key, cmsgpack.pack(s))
  local lasting = DAY_MS + math.max(0, math.ceil((s.closed - now) / 1000))
  for _, key in ipairs(KEYS) do
    redis.call('PEXPIRE', key, lasting)
  end
end
local function first()
  return redis.call('ZRANGE', queue, 0, 0)[1] or ''
end
"""
ACQUIRE = Script(
    STATE
    + """
local id, rpm, tpm = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local concurrency, most_waiting = tonumber(ARGV[5]), tonumber(ARGV[6])
local prompt, tokens, latest, lease = tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9]), tonumber(ARGV[10])
local is_new = id == ''
if is_new then
  s.last = s.last + 1
  id = string.format('%.0f', s.last)
end
local place, before = tonumber(id), {}
for _, text in ipairs(redis.call('ZRANGEBYSCORE', queue, '-inf', '(' .. id)) do
  before[#before + 1] = {pair(redis.call('HGET', sizes, text))}
end
local function window_at(total, amount_of, which, limit)
  local wanted = {}
  for _, other in ipairs(before) do
    wanted[#wanted + 1] = amount_of(other[2])
  end
  wanted[#wanted + 1] = amount_of(tokens)
  local sum = total
  for _, amount in ipairs(wanted) do
    sum = sum + amount
  end
  if sum <= limit then
    return now
  end
  local at, planned, past, next_past, next_planned, offset = now, {}, {}, 1, 1, 0
  local function oldest()
    if next_past > #past then
      past, next_past = redis.call('ZRANGE', taken, offset, offset + 99, 'WITHSCORES'), 1
      offset = offset + 100
    end
    if past[next_past] then
      next_past = next_past + 2
      local each = {pair(redis.call('HGET', amounts, past[next_past - 2]))}
      return tonumber(past[next_past - 1]), each[which]
    end
    local plan = planned[next_planned] or {at, total}
    next_planned = next_planned + 1
    return plan[1], plan[2]
  end
  for _, amount in ipairs(wanted) do
    while total + amount > limit and total > 0 do
      local taken_at, freed = oldest()
      total = total - freed
      at = math.max(at, taken_at + MINUTE)
    end
    planned[#planned + 1] = {at, amount}
    total = total + amount
  end
  return at
end
local ready_at, limit = now, 'queue'
local function waits_for(at, what)
  if at > ready_at then
    ready_at, limit = at, what
  end
end
local function answer(is_granted, refusal, look)
  local known = ready_at > now and string.format('%.0f', ready_at) or ''
  return {
    is_granted and 1 or 0, limit, refusal or '', known, look and string.format('%.0f', look) or '', id, first()
  }
end
local function out(refusal)
  leave(id)
  redis.call('HDEL', sizes, id)
  keep()
  return answer(false, refusal)
end
if tpm and tokens > tpm then
  limit = 'tpm'
  return out('too_large')
end
waits_for(s.closed, 'retry_after')
if rpm then
  waits_for(window_at(s.requests, function() return 1 end, 1, rpm), 'rpm')
end
if tpm then
  waits_for(window_at(s.tokens, function(amount) return math.min(amount, tpm) end, 2, tpm), 'tpm')
end
for kind, told in pairs(s.told) do
  local amount = of_kind(kind, prompt, tokens)
  for _, other in ipairs(before) do
    amount = amount + of_kind(kind, other[1], other[2])
  end
  refill(told)
  local missing = math.min(amount, told.limit) * told.period - told.level
  waits_for(now + math.max(0, math.ceil(missing / told.limit)), kind == 'requests' and 'rpm' or 'tpm')
end
local has_slot = not concurrency or redis.call('ZCARD', running) < concurrency
if #before == 0 and has_slot and ready_at <= now then
  leave(id)
  redis.call('ZADD', taken, now, id)
  redis.call('HSET', amounts, id, '1:' .. ARGV[8])
  redis.call('HSET', sizes, id, ARGV[7] .. ':' .. ARGV[8])
  redis.call('ZADD', running, now + lease, id)
  s.requests, s.tokens = s.requests + 1, s.tokens + tokens
  for kind, told in pairs(s.told) do
    told.level = told.level - of_kind(kind, prompt, tokens) * told.period
  end
  keep()
  return answer(true)
end
if ready_at <= now then
  limit = has_slot and 'queue' or 'concurrency'
end
if latest and (ready_at > latest or now >= latest) then
  return out('late')
end
if most_waiting and is_new and redis.call('ZCARD', queue) >= most_waiting then
  return out('queue_full')
end
redis.call('ZADD', queue, place, id)
redis.call('ZADD', seen, now, id)
redis.call('HSET', sizes, id, ARGV[7] .. ':' .. ARGV[8])
keep()
return answer(false, nil, #before == 0 and has_slot and ready_at or nil)
"""
)
RELEASE = Script(
    STATE
    + """
local id, is_sent, tokens, told_at, pause = ARGV[2], ARGV[3] == '1', tonumber(ARGV[4]), tonumber(ARGV[6]), ARGV[7]
leave(id)
if redis.call('ZSCORE', taken, id) then
  local requests, counted = pair(redis.call('HGET', amounts, id))
  local billed = is_sent and (tokens or counted) or 0
  local went = is_sent and requests or 0
  s.requests, s.tokens = s.requests + went - requests, s.tokens + billed - counted
  redis.call('HSET', amounts, id, string.format('%.0f:%.0f', went, billed))
end
redis.call('ZREM', running, id)
redis.call('HDEL', sizes, id)
for _, new in ipairs(cjson.decode(ARGV[5])) do
  local kind, limit, remaining, reset = new[1], new[2], new[3], new[4]
  local known = s.told[kind]
  if limit >= 1 and not (known and known.told_at > told_at and known.told_at < now + MINUTE) then
    local missing = limit - math.min(remaining, limit)
    local period = MINUTE
    if missing > 0 and reset > 0 then
      period = math.max(1, math.floor(limit * reset / missing))
    end
    local told = {limit = limit, period = period, level = (limit - missing) * period, at = told_at, told_at = told_at}
    for _, other in ipairs(redis.call('ZRANGE', running, 0, -1)) do
      local went_at = tonumber(redis.call('ZSCORE', taken, other) or nil)
      if went_at and went_at > told_at then
        told.level = told.level - of_kind(kind, pair(redis.call('HGET', sizes, other))) * period
      end
    end
    s.told[kind] = told
  end
end
if pause ~= '' then
  s.closed = math.max(s.closed, now + tonumber(pause))
end
keep()
return first()
"""
)
COUNTS = Script("return {redis.call('ZCARD', KEYS[4]), redis.call('ZCARD', KEYS[5])}")
