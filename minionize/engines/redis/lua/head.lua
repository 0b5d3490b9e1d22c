-- What every script begins with: its arguments, the time, and whether this is still the queue its caller knows.
--
-- KEYS[1] is the stream S; every other key begins with its name:
--   S            tasks that are not settled: pending, delayed and held ones
--   S:waiting    given back: entry -> due (ms)          S:suspects  the same, of tasks that must run alone
--   S:lives      entry -> JSON, once something happened: attempt, crashes, delivery, holder, failure ...
--   S:ids        task id -> its entry; +number of a record in S:done; -entry of S:dead
--   S:done       number -> a record of tasks that were done together (see records.lua)
--   S:dead       dead letters, whole (a stream)
--   S:leases     minion -> deadline (ms)                S:minions   minion -> identity     S:here:VIEW  the same, by host
--   S:settled:M  what minion M settled last             S:cancelled entry -> when it was removed under its holder
--   S:waiters    connection ids of those that wait      S:meta      uuid, format, drain, done, records, lost, cleared, was:UUID,
--                run, heard, looked
-- A held task is pending in the group under its minion, and the counter of that is its delivery.
local S, at = KEYS[1], 0
local call, floor = redis.call, math.floor
local function take()
  at = at + 1
  return ARGV[at]
end
local function number()
  return tonumber(take())
end
local function rest()
  local all = {}
  for n = at + 1, #ARGV do
    all[#all + 1] = ARGV[n]
  end
  return all
end

local GROUP, UUID, ME, HOST = take(), take(), take(), take()
local clock = call('TIME')
local real = clock[1] * 1000 + floor(clock[2] / 1000)
local now = real + number()
local META, LIVES, IDS, DONE, DEAD = S .. ':meta', S .. ':lives', S .. ':ids', S .. ':done', S .. ':dead'
local WAITING, SUSPECTS, LEASES = S .. ':waiting', S .. ':suspects', S .. ':leases'
local MINIONS, CANCELLED, WAITERS = S .. ':minions', S .. ':cancelled', S .. ':waiters'
local SETTLED = S .. ':settled:' .. ME
-- Crashes from which on a task runs alone; ms after which a drain is forgotten, and what was settled or removed.
local ALONE, DAY, HOUR = 2, 86400000, 3600000
-- As many words as one call takes: Lua's stack is bounded.
local PAGE = 1000

local meta = call('HMGET', META, 'uuid', 'drain', 'lost', 'cleared', 'heard', 'looked', 'records', 'done')
