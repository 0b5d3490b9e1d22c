-- After a loss of data: enter again what I hold: lease, identity, view; entry, id, param, attempt, delivery, crashes ...
-- Returns the entry of each from now on; '' where somebody else has it.
local lease, identity, view = number(), take(), take()
register(lease, identity, view, true)

local function place_of(entry, id, param)
  local fields = fields_of(entry)
  if fields and name_of(entry, fields) == id then
    return entry
  end
  local known = call('HGET', IDS, id)
  if known and string.find(known, '^[+-]') then
    return nil
  end
  if known and fields_of(known) then
    return known
  end
  entry = call('XADD', S, '*', 'minionize', id .. '\n' .. param)
  call('HSET', IDS, id, entry)
  return entry
end

local places = {}
while at < #ARGV do
  local old, id, param, attempt, delivery, crashes = take(), take(), take(), number(), number(), number()
  local entry = place_of(old, id, param)
  local other = entry and holder_of(entry)
  if entry and (not other or other == ME) then
    call('ZREM', WAITING, entry)
    call('ZREM', SUSPECTS, entry)
    hold(entry, ME, delivery)
    write_life(entry, { attempt = attempt, crashes = crashes, delivery = delivery, holder = ME, minion = ME, host = HOST,
      since = now })
    places[#places + 1] = entry
  else
    places[#places + 1] = ''
  end
end
return { 'ok', places }
