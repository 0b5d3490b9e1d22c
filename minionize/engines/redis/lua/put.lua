-- Add tasks: the epoch's ms as the caller's clock tells it; id, param, attempt, crashes, due (ms of that clock) ...
local added, known, clock_of_caller = 0, {}, number()

local function state_at(id)
  local place = call('HGET', IDS, id)
  if not place then
    return nil
  end
  local mark = string.sub(place, 1, 1)
  if mark == '+' or mark == '-' then
    return mark == '+' and 'done' or 'dead'
  end
  return call('XRANGE', S, place, place)[1] and state_of(place) -- nil: its message was deleted
end

while at < #ARGV do
  local id, param, attempt, crashes, due = take(), take(), number(), number(), number()
  local where = state_at(id)
  if where then
    known[where] = (known[where] or 0) + 1
  else
    local entry = call('XADD', S, '*', 'minionize', id .. '\n' .. param)
    call('HSET', IDS, id, entry)
    added = added + 1
    if attempt > 1 or crashes > 0 or due > 0 then
      local life = new_life()
      life.attempt, life.crashes = attempt, crashes
      write_life(entry, life)
      line_up(entry, life, now + math.max(0, due - clock_of_caller))
    end
  end
end
if meta[3] then
  call('HDEL', META, 'lost')
end
local pairs_of_known = {}
for where, count in pairs(known) do
  pairs_of_known[#pairs_of_known + 1] = where
  pairs_of_known[#pairs_of_known + 1] = count
end
return { 'ok', added, pairs_of_known, wake(offered, false) }
