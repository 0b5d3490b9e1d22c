-- All that a minion does, in one round trip: settle, take back from the lost, claim, and see how things stand.
-- limit, lease, max crashes, identity, view, connection that waits ('': none), whether to look around,
-- n, n runs of settlements, n, n entries that were read, minions that are gone ...
local limit, lease, max_crashes, identity, view, listen, look = number(), number(), number(), take(), take(), take(), take()
local runs = number()
local refused = runs > 0 and settle(runs) or {}
local read = {}
for _ = 1, number() do
  read[#read + 1] = take()
end
local stopped = false
if limit > 0 then
  register(lease, identity, view, false)
  reclaim(max_crashes, rest())
  claim_read(read)
  if drained() then
    give_back_taken()
  elseif count_taken() == 0 then
    stopped = claim(limit, lease)
  end
end
local how, due, waiters = 'open', -1, 0
if count_taken() == 0 or drained() then
  how, due = state(), next_due()
end
if listen ~= '' then
  if count_taken() == 0 and how == 'open' and not stopped then
    call('ZADD', WAITERS, now + 3000, listen)
    waiters = call('ZCARD', WAITERS)
  else
    call('ZREM', WAITERS, listen)
  end
end
local neighbours = {}
if look == '1' and call('HLEN', S .. ':here:' .. view) > 1 then
  neighbours = call('HVALS', S .. ':here:' .. view)
end
local woken = (offered > from_waiting or how ~= 'open') and wake(offered - from_waiting, how ~= 'open') or {}
return { 'ok', how, due, refused, { tasks, entries, texts, others }, stopped and 1 or 0, woken, waiters, neighbours }
