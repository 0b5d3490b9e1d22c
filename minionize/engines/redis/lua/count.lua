-- The books: pending, delayed, leased, done, dead.
local held = 0
for _, group in ipairs(call('XINFO', 'GROUPS', S)) do
  if group[2] == GROUP then
    held = group[6]
  end
end
local delayed = call('ZCOUNT', WAITING, '(' .. now, '+inf') + call('ZCOUNT', SUSPECTS, '(' .. now, '+inf')
local done = tonumber(call('HGET', META, 'done') or '0')
local pending = math.max(0, call('XLEN', S) - held - delayed)
return { 'ok', pending, delayed, held, done, call('XLEN', DEAD) }
