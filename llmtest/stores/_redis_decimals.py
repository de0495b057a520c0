"""Exact sums of amounts, in Lua, which has floats alone: texts of digits, added up in pieces that a float holds."""

from __future__ import annotations

__all__ = ["DECIMALS"]

DECIMALS = """
local PIECE = 14
local function aligned(a, b)
  local a_whole, a_part = a:match('^(%d+)%.?(%d*)$')
  local b_whole, b_part = b:match('^(%d+)%.?(%d*)$')
  local whole, part = math.max(#a_whole, #b_whole), math.max(#a_part, #b_part)
  local function filled(w, p)
    return ('0'):rep(whole - #w) .. w .. p .. ('0'):rep(part - #p)
  end
  return filled(a_whole, a_part), filled(b_whole, b_part), part
end
local function pointed(digits, part)
  if part > 0 then
    digits = (digits:sub(1, #digits - part) .. '.' .. digits:sub(#digits - part + 1)):gsub('0+$', ''):gsub('%.$', '')
  end
  digits = digits:gsub('^0+', '')
  if digits == '' or digits:sub(1, 1) == '.' then
    digits = '0' .. digits
  end
  return digits
end
local function combined(a, b, sign)
  local x, y, part = aligned(a, b)
  local carry, out = 0, ''
  for last = #x, 1, -PIECE do
    local first = math.max(last - PIECE + 1, 1)
    local width = last - first + 1
    local base = tonumber('1' .. ('0'):rep(width))
    local piece = tonumber(x:sub(first, last)) + sign * (tonumber(y:sub(first, last)) + carry)
    carry = 0
    if piece < 0 or piece >= base then
      piece, carry = piece - sign * base, 1
    end
    out = string.format('%0' .. width .. '.0f', piece) .. out
  end
  if carry == 1 and sign == 1 then
    out = '1' .. out
  end
  return pointed(out, part)
end
local function add(a, b)
  if b == '0' then
    return a
  end
  return combined(a, b, 1)
end
local function subtract(a, b)
  if b == '0' then
    return a
  end
  return combined(a, b, -1)
end
local function is_above(a, b)
  local x, y = aligned(a, b)
  return x > y
end
"""
"""`add`, `subtract` (of what is in it) and `is_above` of amounts of 0 or more, as texts of digits with a point."""
