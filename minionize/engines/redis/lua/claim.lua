-- Claim: what was given back and is due, then fresh tasks.

-- Bytes of params after which no more are read: an answer is held in memory, by the server and by the minion.
local ENOUGH = 4194304
local tasks, bytes, from_waiting = {}, 0, 0

local function hand_out(entry, delivery, life, fields)
  tasks[#tasks + 1] = { entry, delivery, life.attempt, life.crashes, fields }
  for n = 2, #fields, 2 do
    bytes = bytes + #fields[n]
  end
end

local function claim_waiting(entry, line)
  call('ZREM', line, entry)
  local fields = fields_of(entry)
  if not fields then -- somebody deleted the message
    call('HDEL', LIVES, entry)
    return
  end
  local life = life_of(entry) or new_life()
  life.delivery = life.delivery + 1
  life.holder, life.minion, life.host, life.since = ME, ME, HOST, now
  hold(entry, ME, life.delivery)
  write_life(entry, life)
  hand_out(entry, life.delivery, life, fields)
  from_waiting = from_waiting + 1
end

-- What I have just read: hand it out, unless it has a past that says otherwise.
local function accept(entry, fields)
  local life = life_of(entry)
  if not life then
    hand_out(entry, 1, new_life(), fields)
  elseif life.holder == ME then -- I have it already
    hold(entry, ME, life.delivery)
  elseif not put_right(entry, life, ME) then
    life.delivery = life.delivery + 1
    life.holder = ME
    hold(entry, ME, life.delivery)
    write_life(entry, life)
    hand_out(entry, life.delivery, life, fields)
  end
end

local function claim_fresh(limit)
  while #tasks < limit and bytes < ENOUGH do
    local room = bytes == 0 and 8 or floor((ENOUGH - bytes) * #tasks / bytes) + 1
    local count = math.min(limit - #tasks, room)
    local read = call('XREADGROUP', 'GROUP', GROUP, ME, 'COUNT', count, 'STREAMS', S, '>')
    if not read then
      return
    end
    for _, one in ipairs(read[1][2]) do
      accept(one[1], one[2])
    end
    if #read[1][2] < count then
      return
    end
  end
end

-- What a blocked read brought meanwhile, if it is still mine.
local function claim_read(entries)
  for _, entry in ipairs(entries) do
    local fields = holder_of(entry) == ME and fields_of(entry)
    if fields then
      accept(entry, fields)
    end
  end
end

-- Claim up to `limit` tasks; true where I may have no others until I settled. A task that crashed before goes alone, to a
-- minion that holds nothing; where it waits for longer than a lease, those that are busy take nothing until they are not.
local function claim(limit, lease)
  local held = call('XPENDING', S, GROUP, '-', '+', 1, ME)[1]
  local life = held and life_of(held[1])
  if life and life.crashes >= ALONE then
    return true
  end
  local suspect = call('ZRANGEBYSCORE', SUSPECTS, '-inf', now, 'WITHSCORES', 'LIMIT', 0, 1)
  if suspect[1] and not held then
    claim_waiting(suspect[1], SUSPECTS)
    if #tasks > 0 then
      return true
    end
  elseif suspect[1] and now - tonumber(suspect[2]) > lease then
    return true
  end
  for _, entry in ipairs(call('ZRANGEBYSCORE', WAITING, '-inf', now, 'LIMIT', 0, limit)) do
    if bytes < ENOUGH then
      claim_waiting(entry, WAITING)
    end
  end
  claim_fresh(limit)
  return false
end

local function next_due()
  local soonest
  for _, line in ipairs({ WAITING, SUSPECTS }) do
    local score = call('ZRANGEBYSCORE', line, '(' .. now, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)[2]
    if score and (not soonest or tonumber(score) < soonest) then
      soonest = tonumber(score)
    end
  end
  return soonest and soonest - now or -1
end
