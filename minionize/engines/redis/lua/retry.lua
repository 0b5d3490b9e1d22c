-- Put dead letters back as if new: how many of any, or (0) those named.
local count, places = number(), rest()
if count > 0 then
  for _, one in ipairs(call('XRANGE', DEAD, '-', '+', 'COUNT', count)) do
    places[#places + 1] = '-' .. one[1]
  end
end
local revived = 0
for _, place in ipairs(places) do
  local found = string.sub(place, 1, 1) == '-' and call('XRANGE', DEAD, string.sub(place, 2), string.sub(place, 2))[1]
  if found then
    local fields = found[2]
    local id, old = fields[2], cjson.decode(fields[4])
    local entry
    if name_of('', { unpack(fields, 5) }) == id then
      entry = call('XADD', S, '*', unpack(fields, 5))
    else -- published by somebody else: from now on it carries its id
      entry = call('XADD', S, '*', 'minionize', id, unpack(fields, 5))
    end
    call('XDEL', DEAD, found[1])
    call('HSET', IDS, id, entry)
    old.attempt, old.crashes, old.failure, old.ended = 1, 0, nil, nil
    write_life(entry, old)
    line_up(entry, old, now)
    revived = revived + 1
  end
end
return { 'ok', revived, wake(offered, false) }
