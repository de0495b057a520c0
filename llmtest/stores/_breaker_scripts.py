"""What a circuit decides, as scripts that run in Redis: what `MemoryCircuit` does, line by line.

A circuit is one key, and its state one packed table. Times are microseconds, which Lua's numbers hold exactly until the
year 2255; nanoseconds they do not. What is lost for want of the key is a circuit without failures.

Each script is told the rules of the circuit (a JSON object, see `_redis_breaker`) and the time, and answers with what
the circuit looks like then: its generation, its state, the failures that count, when it lets a call through (-1 where
it is isolated), and the changes that were made.
"""

from __future__ import annotations

from llmtest.stores._redis_server import Script

__all__ = ["ADMIT", "COMMAND", "COOL_DOWN", "READ", "RECORD"]

STATE = """
local rules, now = cjson.decode(ARGV[1]), tonumber(ARGV[2])
local data = redis.call('GET', KEYS[1])
local s = data and cmsgpack.unpack(data) or {
  state = 'closed', generation = 0, failures = 0, successes = 0, bad_probes = 0, started = 0, open = 0, cool = 0,
  restored = 0, share = 0, reopened = 0, probes = {}, window = '', slices = {}
}
local changes = {}
local function keep()
  if s.state == 'isolated' then
    return redis.call('SET', KEYS[1], cmsgpack.pack(s))
  end
  local left = math.max(now, s.open, s.cool, s.restored) - now
  local lasting = math.min(math.ceil(left / 1000) + rules.lasting_ms, 2 ^ 50)
  redis.call('SET', KEYS[1], cmsgpack.pack(s), 'PX', string.format('%.0f', lasting))
end
local function among(text, kinds)
  local _, count = text:gsub(kinds, '')
  return count
end
local function counted()
  if rules.slice then
    local calls, failures, slow = 0, 0, 0
    for _, part in ipairs(s.slices) do
      calls, failures, slow = calls + part[2], failures + part[3], slow + part[4]
    end
    return calls, failures, slow
  end
  return #s.window, among(s.window, '[13]'), among(s.window, '[23]')
end
local function forget_calls()
  s.failures, s.window, s.slices = 0, '', {}
end
local function change(state, cause, count, calls, open_for, slow)
  changes[#changes + 1] = {s.state, state, cause, count or '', calls or '', open_for or '', slow and 1 or 0}
  s.state, s.generation = state, s.generation + 1
  s.successes, s.bad_probes, s.started, s.probes = 0, 0, 0, {}
  forget_calls()
end
local function open(cause, count, calls, slow)
  local wait = rules.recovery
  if rules.multiplier > 1 then
    wait = math.max(wait, math.min(wait * rules.multiplier ^ math.min(s.reopened, 64), rules.max_recovery))
  end
  s.open = now + math.floor(wait * 1000000 + 0.5)
  change('open', cause, count, calls, string.format('%.17g', wait), slow)
end
local function close(cause, count)
  if rules.restoration > 0 then
    s.restored, s.share = now + rules.restoration, 1 - rules.share
  end
  change('closed', cause, count)
end
local function look()
  local failures = s.failures
  if rules.window or rules.slice then
    failures = select(2, counted())
  end
  local at = math.max(s.state == 'open' and s.open or 0, s.cool)
  return {s.generation, s.state, failures, s.state == 'isolated' and '-1' or string.format('%.0f', at), changes}
end
"""
ADMIT = Script(
    STATE
    + """
local forced = ARGV[3] == '1'
-- A clock that was ahead, or has been set back since, keeps nobody away for longer than the rules do.
local was_open, was_cool, was_restored = s.open, s.cool, s.restored
s.open = math.min(s.open, now + rules.longest)
s.cool = math.min(s.cool, now + rules.max_cooldown)
s.restored = math.min(s.restored, now + rules.restoration)
local function refused(cause, wait)
  return {look(), 'refused', cause, wait and string.format('%.0f', wait) or ''}
end
if s.state == 'isolated' then
  return refused('isolated')
end
if data and (s.open ~= was_open or s.cool ~= was_cool or s.restored ~= was_restored) then
  keep()
end
if now < s.cool and not forced then
  return refused('cooling', s.cool - now)
end
if s.state == 'closed' then
  if now < s.restored and not forced then
    s.share = s.share + rules.share + (1 - rules.share) * (1 - (s.restored - now) / rules.restoration)
    local is_of_share = s.share >= 1 - 1e-9
    if is_of_share then
      s.share = s.share - 1
    end
    keep()
    if not is_of_share then
      return refused('restoring', 0)
    end
  end
  return {look(), 'admitted', 0}
end
if s.state == 'open' then
  if now < s.open and not forced then
    return refused('open', s.open - now)
  end
  change('half_open', forced and 'all_open' or 'recovery_timeout')
end
local lapsed, probes = now - rules.probe_timeout, {}
for _, probe in ipairs(s.probes) do
  if probe[2] > lapsed and probe[2] <= now + rules.probe_timeout then
    probes[#probes + 1] = probe
  end
end
s.probes = probes
if #probes >= rules.probes then
  keep()
  return refused('probing', probes[1][2] - lapsed)
end
s.started = s.started + 1
probes[#probes + 1] = {s.started, now}
keep()
return {look(), 'admitted', s.started}
"""
)
RECORD = Script(
    STATE
    + """
local generation, number, verdict, slow = tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5], ARGV[6] == '1'
if generation ~= s.generation then
  return look()
end
local failed = verdict == 'failure'
local function probe_failed(was_slow)
  if rules.success_rate then
    s.bad_probes = s.bad_probes + 1
    if s.bad_probes <= rules.probes - math.ceil(rules.success_rate * rules.probes) then
      return
    end
  end
  s.reopened = s.reopened + 1
  open('probe_failed', nil, nil, was_slow)
end
local function probe_succeeded()
  local needed = rules.success_rate and math.ceil(rules.success_rate * rules.probes) or rules.successes
  s.successes = s.successes + 1
  if s.successes >= needed then
    close('probes_succeeded', needed)
    s.reopened = 0
  end
end
local function add()
  if rules.slice then
    local part, parts = math.floor(now / rules.slice), {}
    for _, each in ipairs(s.slices) do
      if each[1] > part - 10 and each[1] <= part + 10 then
        parts[#parts + 1] = each
      end
    end
    if #parts == 0 or parts[#parts][1] < part then
      parts[#parts + 1] = {part, 0, 0, 0}
    end
    local newest = parts[#parts]
    newest[2], newest[3], newest[4] = newest[2] + 1, newest[3] + (failed and 1 or 0), newest[4] + (slow and 1 or 0)
    s.slices = parts
  else
    s.window = (s.window .. ((failed and 1 or 0) + (slow and 2 or 0))):sub(-rules.window)
  end
end
local function z_score(calls, failures)
  local recent = math.min(rules.minimum, calls)
  local recent_failures = among(s.window:sub(-recent), '[13]')
  local rate = math.max((failures - recent_failures + 1) / (calls - recent + 2), 0.05)
  return (recent_failures - recent * rate) / (recent * rate * (1 - rate)) ^ 0.5, recent_failures
end
local function judge()
  local calls, failures, slow_calls = counted()
  if calls < rules.minimum then
    return
  end
  if rules.failure_rate and failures / calls >= rules.failure_rate then
    return open('failure_rate', failures, calls, not failed)
  end
  if rules.slow_rate and slow_calls / calls >= rules.slow_rate then
    return open('slow_calls', slow_calls, calls, not failed)
  end
  if rules.z_score then
    local score, recent_failures = z_score(calls, failures)
    if score >= rules.z_score then
      open('anomaly', recent_failures, rules.minimum, not failed)
    end
  end
end
if number > 0 then
  local others = {}
  for _, probe in ipairs(s.probes) do
    if probe[1] ~= number then
      others[#others + 1] = probe
    end
  end
  s.probes = others
  if verdict ~= 'nothing' then
    if failed or slow then
      probe_failed(not failed)
    else
      probe_succeeded()
    end
  end
elseif rules.window or rules.slice then
  add()
  if failed or slow then
    judge()
  end
elseif failed then
  s.failures = s.failures + 1
  if s.failures >= rules.threshold then
    open('failures', s.failures)
  end
elseif s.failures == 0 then
  return look()
else
  s.failures = 0
end
keep()
return look()
"""
)
COOL_DOWN = Script(
    STATE
    + """
local till = tonumber(ARGV[3])
if till <= s.cool then
  return {look(), 0}
end
s.cool = till
keep()
return {look(), 1}
"""
)
COMMAND = Script(
    STATE
    + """
local command = ARGV[3]
if command == 'isolate' then
  if s.state ~= 'isolated' then
    change('isolated', 'isolated')
  end
elseif command == 'release' then
  if s.state == 'isolated' then
    s.reopened = 0
    close('released')
  end
else
  s.cool, s.restored, s.reopened = 0, 0, 0
  if s.state ~= 'closed' then
    change('closed', 'reset')
  end
  forget_calls()
end
keep()
return look()
"""
)
READ = Script(STATE + "return look()")
