-- Claim: what was given back and is due, then fresh tasks.

-- Bytes of params after which no more are read: an answer is held in memory, by the server and by the minion.
local ENOUGH = 4194304
local bytes, from_waiting = 0, 0

-- What is handed out, in this order: tasks with all that is to be said of each; fresh ones put by us, which are two words each,
-- their entry and their only field; and again others.
local tasks, entries, texts, others = {}, {}, {}, {}
local function count_taken()
  return #tasks + #entries + #others
end

local function hand_out(entry, delivery, life, fields)
  local line = #entries == 0 and tasks or others
  line[#line + 1] = { entry, delivery, life.attempt, life.crashes, fields }
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
local function accept(entry, fields, text)
  local life = text and read_json(text)
  if not life and #fields == 2 and fields[1] == 'minionize' and #others == 0 then
    entries[#entries + 1], texts[#texts + 1] = entry, fields[2]
    bytes = bytes + #fields[2]
  elseif not life then
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
  while count_taken() < limit and bytes < ENOUGH do
    local room = bytes == 0 and 8 or floor((ENOUGH - bytes) * count_taken() / bytes) + 1
    local count = math.min(limit - count_taken(), room)
    local read = call('XREADGROUP', 'GROUP', GROUP, ME, 'COUNT', count, 'STREAMS', S, '>')
    if not read then
      return
    end
    read = read[1][2]
    local lives = lives_of(read)
    for n, one in ipairs(read) do
      accept(one[1], one[2], lives[n])
    end
    if #read < count then
      return
    end
  end
end

-- What a blocked read brought meanwhile, if it is still mine.
local function claim_read(entries)
  for _, entry in ipairs(entries) do
    local fields = holder_of(entry) == ME and fields_of(entry)
    if fields then
      accept(entry, fields, has_lives and call('HGET', LIVES, entry))
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
    if count_taken() > 0 then
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

-- Give back what I have just taken: the minions are to leave.
local function give_back_taken()
  for _, entry in ipairs(entries) do
    hand_out(entry, 1, new_life(), {})
  end
  for _, line in ipairs({ tasks, others }) do
    for _, task in ipairs(line) do
      local life = life_of(task[1]) or new_life()
      life.delivery = task[2]
      give_back(task[1], life, now, ME, HOST, 0)
    end
  end
  tasks, entries, texts, others = {}, {}, {}, {}
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
