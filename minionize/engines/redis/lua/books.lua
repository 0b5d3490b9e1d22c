-- Where a task is, and moving it.

local offered = 0 -- tasks that were given back and may be had at once

-- A message of ours is one field, `minionize`, and in it the id, a new line and the param: each word more costs time in every
-- command. With the id alone in it, the other fields are what somebody else published.
local function name_of(entry, fields)
  local name = fields[1] == 'minionize' and (#fields > 2 and fields[2] or string.match(fields[2], '^(.-)\n'))
  if name and name ~= '' and #name <= 1024 and not string.find(name, '%c') then
    return name
  end
  return entry
end

local function fields_of(entry)
  local found = call('XRANGE', S, entry, entry)[1]
  return found and found[2]
end

-- What was written as JSON; nil where it is none (somebody meddled with it): an error half way would leave half of the work.
local function read_json(text)
  local good, content = pcall(cjson.decode, text)
  return good and type(content) == 'table' and content or nil
end

-- Most tasks have no life: they are handed out once, and done. Then nobody looks for one again and again.
local has_lives = call('EXISTS', LIVES) == 1

local function life_of(entry)
  local text = has_lives and call('HGET', LIVES, entry)
  return text and read_json(text)
end

-- The lives, as they are written, of what was read, a list of entry and fields; false where there is none.
local function lives_of(read)
  local found = {}
  for first = 1, has_lives and #read or 0, PAGE do
    local line = {}
    for n = first, math.min(first + PAGE - 1, #read) do
      line[#line + 1] = read[n][1]
    end
    for _, text in ipairs(call('HMGET', LIVES, unpack(line))) do
      found[#found + 1] = text
    end
  end
  return found
end

local function new_life()
  return { attempt = 1, crashes = 0, delivery = 0 }
end

local function write_life(entry, life)
  has_lives = true
  call('HSET', LIVES, entry, cjson.encode(life))
end

-- Who holds it: minion, delivery, and for how long (ms).
local function holder_of(entry)
  local found = call('XPENDING', S, GROUP, entry, entry, 1)[1]
  if found then
    return found[2], found[4], found[3]
  end
end

local function hold(entry, minion, delivery)
  call('XCLAIM', S, GROUP, minion, 0, entry, 'RETRYCOUNT', delivery, 'FORCE', 'JUSTID')
end

-- A task with a past may stand before the group's cursor although it waits, or was claimed, by its life. Reading on then
-- makes it the reader's: put that right. True where the entry is not the reader's.
local function put_right(entry, life, reader)
  if life.holder then
    if life.holder == reader then
      return false
    end
    hold(entry, life.holder, life.delivery)
    return true
  end
  if call('ZSCORE', WAITING, entry) or call('ZSCORE', SUSPECTS, entry) then
    call('XACK', S, GROUP, entry)
    return true
  end
  return false
end

-- For how long I have held this very delivery (ms), and its life; nil: it is not mine. `one`: what the group says of an entry
-- that is pending under me, and its life, where they are known already.
local function mine(entry, delivery, one, life)
  local minion, count, age
  if one then
    minion, count, age = ME, one[4], one[3]
  else
    minion, count, age = holder_of(entry)
  end
  life = life or life_of(entry)
  if not life then
    return minion == ME and count == delivery and age or nil
  end
  if life.holder ~= ME or life.delivery ~= delivery then
    return nil
  end
  if minion ~= ME or count ~= delivery then
    hold(entry, ME, delivery)
    age = 0
  end
  return age, life
end

local function line_up(entry, life, due)
  call('ZADD', life.crashes >= ALONE and SUSPECTS or WAITING, due, entry)
  if due <= now then
    offered = offered + 1
  end
end

-- Give a held task back; `minion` held it, for `age` ms.
local function give_back(entry, life, due, minion, host, age)
  life.holder, life.minion, life.host = nil, minion, host
  life.since, life.ended = now - age, now
  call('XACK', S, GROUP, entry)
  write_life(entry, life)
  line_up(entry, life, due)
end

-- Take it out of the stream, from wherever it is: only what has a life can be elsewhere too.
local function take_out(entry)
  call('XACK', S, GROUP, entry)
  call('XDEL', S, entry)
  if has_lives and call('HDEL', LIVES, entry) == 1 then
    call('ZREM', WAITING, entry)
    call('ZREM', SUSPECTS, entry)
  end
end

-- Keep a dead letter whole, so that it can be put back as it was. (A message with thousands of fields is cut.)
local function bury(entry, life, minion, host, age)
  local fields = fields_of(entry)
  take_out(entry)
  if not fields then
    return
  end
  local name = name_of(entry, fields)
  life.holder, life.minion, life.host, life.since = nil, minion, host, now - age
  local record = call('XADD', DEAD, '*', 'id', name, 'life', cjson.encode(life), unpack(fields, 1, math.min(#fields, 2000)))
  call('HSET', IDS, name, '-' .. record)
end

-- `cancelled` where somebody removed it under us, or cleared the queue; else `lost`.
local function why(entry)
  local function parts(id)
    local ms, seq = string.match(id, '(%d+)-(%d+)')
    return tonumber(ms), tonumber(seq)
  end
  if call('ZSCORE', CANCELLED, entry) then
    return 'cancelled'
  end
  if meta[4] then
    local ms, seq = parts(entry)
    local last_ms, last_seq = parts(meta[4])
    if ms < last_ms or (ms == last_ms and seq <= last_seq) then
      return 'cancelled'
    end
  end
  return 'lost'
end

local function drained()
  local drain = meta[2] and read_json(meta[2])
  return drain and now - drain.at * 1000 <= DAY
end

local function state()
  if drained() then
    return 'drain'
  end
  if call('XLEN', S) > 0 then
    return 'open'
  end
  return meta[3] and 'lost' or 'ended'
end

-- Choose whom to wake: one connection a task that is there to be had; all where the queue has ended or drains.
local function wake(tasks, all)
  if call('ZCARD', WAITERS) == 0 then
    return {}
  end
  call('ZREMRANGEBYSCORE', WAITERS, '-inf', now)
  if not all and tasks <= 0 then
    return {}
  end
  local last = all and -1 or tasks - 1
  local found = call('ZRANGE', WAITERS, 0, last)
  call('ZREMRANGEBYRANK', WAITERS, 0, last)
  return found
end
