-- Line up again what was handed out and is nowhere any more, because somebody deleted its consumer or acknowledged it by
-- hand: behind which entry to look, how many. Returns the last one looked at ('': that was all) and how many came back.
local after, count = take(), number()
local cursor
for _, group in ipairs(call('XINFO', 'GROUPS', S)) do
  if group[2] == GROUP then
    cursor = group[8]
  end
end
local last, found = '', 0
for _, one in ipairs(call('XRANGE', S, after, cursor, 'COUNT', count)) do
  local entry = one[1]
  last = entry
  if not holder_of(entry) and not call('ZSCORE', WAITING, entry) and not call('ZSCORE', SUSPECTS, entry) then
    local life = life_of(entry) or new_life()
    life.holder, life.delivery = nil, math.max(1, life.delivery)
    write_life(entry, life)
    line_up(entry, life, now)
    found = found + 1
  end
end
return { 'ok', last, found, wake(offered, false) }
