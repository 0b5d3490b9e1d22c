-- Describe tasks, for people.

local function live_row(entry, fields)
  local minion, count, age = holder_of(entry)
  local life = life_of(entry)
  local due = call('ZSCORE', WAITING, entry) or call('ZSCORE', SUSPECTS, entry)
  local how, host = 'pending', ''
  if due then
    how = tonumber(due) > now and 'delayed' or 'pending'
  elseif minion then
    how = 'leased'
    local who = call('HGET', MINIONS, minion)
    host = who and cjson.decode(who).host or ''
  end
  return { 'live', entry, fields, how, due or '', life and cjson.encode(life) or '', minion or '', host,
    age and string.format('%.0f', now - age) or '', count or 0 }
end

local function state_of(entry)
  local due = call('ZSCORE', WAITING, entry) or call('ZSCORE', SUSPECTS, entry)
  if due then
    return tonumber(due) > now and 'delayed' or 'pending'
  end
  return holder_of(entry) and 'leased' or 'pending'
end

local function row_at(id, place)
  local mark = string.sub(place, 1, 1)
  if mark == '+' then
    return done_rows(string.sub(place, 2), id)[1]
  end
  if mark == '-' then
    local found = call('XRANGE', DEAD, string.sub(place, 2), string.sub(place, 2))[1]
    return found and { 'dead', found[1], found[2] }
  end
  local fields = fields_of(place)
  return fields and live_row(place, fields)
end
