"""What happens to balances in Redis, as scripts that run there as a whole.

A balance is four amounts as text: what was spent in tokens and USD, what is reserved in tokens and USD.
"""

from __future__ import annotations

from llmtest.stores._redis_decimals import DECIMALS
from llmtest.stores._redis_server import Script

__all__ = ["CHARGE", "GIVE_BACK", "HOLD", "RELEASE", "SETTLE"]

COMMON = (
    DECIMALS
    + """
local function read(key)
  local a, b, c, d = (redis.call('GET', key) or '0 0 0 0'):match('^(%S+) (%S+) (%S+) (%S+)$')
  return {a, b, c, d}
end
local function write(key, balance, keep)
  redis.call('SET', key, table.concat(balance, ' '), 'PX', keep)
end
local function move(key, keep, held_tokens, held_usd, tokens, usd)
  local it = read(key)
  it[1], it[2] = add(it[1], tokens), add(it[2], usd)
  it[3], it[4] = subtract(it[3], held_tokens), subtract(it[4], held_usd)
  write(key, it, keep)
  return {it[1], it[2]}
end
"""
)
HOLD = Script(
    COMMON
    + """
local keep, id, tokens, usd, mark = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local holds = KEYS[1]
if redis.call('HEXISTS', holds, id) == 1 then
  return {1}
end
local balances, answer, halted = {}, {1}, false
for number = 2, #KEYS do
  balances[number - 1] = read(KEYS[number])
end
balances[#KEYS] = {ARGV[6], ARGV[7], ARGV[8], ARGV[9]}
local nothing = {'0', '0', '0', '0'}
for at = 10, #ARGV, 4 do
  local it = balances[tonumber(ARGV[at])] or nothing
  local spent, reserved, asked = it[1], it[3], tokens
  if ARGV[at + 1] == 'usd' then
    spent, reserved, asked = it[2], it[4], usd
  end
  if is_above(add(add(spent, reserved), asked), ARGV[at + 2]) then
    table.insert(answer, {(at - 10) / 4, spent, reserved})
    halted = halted or ARGV[at + 3] == '1'
  end
end
if halted then
  answer[1] = 0
  return answer
end
for number = 2, #KEYS do
  local it = balances[number - 1]
  it[3], it[4] = add(it[3], tokens), add(it[4], usd)
  write(KEYS[number], it, keep)
end
redis.call('HSET', holds, id, mark)
redis.call('PEXPIRE', holds, keep)
return answer
"""
)
SETTLE = Script(
    COMMON
    + """
local keep, id, held_tokens, held_usd, tokens, usd = unpack(ARGV)
local spent = {}
local is_held = redis.call('HDEL', KEYS[1], id) == 1
local is_given_back = not is_held and redis.call('HDEL', KEYS[2], id) == 1
for number = 3, #KEYS do
  if is_held then
    spent[number - 2] = move(KEYS[number], keep, held_tokens, held_usd, tokens, usd)
  elseif is_given_back then
    spent[number - 2] = move(KEYS[number], keep, '0', '0', tokens, usd)
  else
    local it = read(KEYS[number])
    spent[number - 2] = {it[1], it[2]}
  end
end
return spent
"""
)
RELEASE = Script(
    COMMON
    + """
local keep, id, held_tokens, held_usd = unpack(ARGV)
if redis.call('HDEL', KEYS[1], id) == 0 then
  return 0
end
for number = 2, #KEYS do
  move(KEYS[number], keep, held_tokens, held_usd, '0', '0')
end
return 1
"""
)
CHARGE = Script(
    COMMON
    + """
local keep, once_ms, tokens, usd = unpack(ARGV)
local spent = {}
if redis.call('SET', KEYS[1], '1', 'NX', 'PX', once_ms) then
  for number = 2, #KEYS do
    spent[number - 1] = move(KEYS[number], keep, '0', '0', tokens, usd)
  end
else
  for number = 2, #KEYS do
    local it = read(KEYS[number])
    spent[number - 1] = {it[1], it[2]}
  end
end
return spent
"""
)
GIVE_BACK = Script(
    COMMON
    + """
local keep, before, count = ARGV[1], ARGV[2], 0
local holds = redis.call('HGETALL', KEYS[1])
for at = 1, #holds, 2 do
  local hold = cjson.decode(holds[at + 1])
  if hold.at < before then
    for _, key in ipairs(hold.keys) do
      move(key, keep, hold.tokens, hold.usd, '0', '0')
    end
    redis.call('HDEL', KEYS[1], holds[at])
    redis.call('HSET', KEYS[2], holds[at], '1')
    redis.call('PEXPIRE', KEYS[2], keep)
    count = count + 1
  end
end
return count
"""
)
