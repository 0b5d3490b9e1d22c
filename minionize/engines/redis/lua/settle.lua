-- Settle: six arguments each: entry and delivery after how, then `a`: id, param to keep, result; `n`: delay (ms), charge,
-- failure; `b`: two that are empty, failure.

-- Done tasks leave the stream together: a call for each of them would cost as much as all the rest.
local finished, places, foreign = {}, {}, {}

-- Keep a record of a done task; with no param it is somebody else's, and those are only counted: there may be no end of
-- them.
local function finish(entry, life, age, id, param, result)
  finished[#finished + 1] = entry
  if param == '' then
    foreign[#foreign + 1] = id
    return
  end
  local how = life.attempt .. ' ' .. life.delivery .. ' ' .. life.crashes .. ' ' .. age
  places[#places + 1] = id
  places[#places + 1] = '+'
    .. call('XADD', DONE, '*', 'id', id, 'param', param, 'result', result, 'how', how, 'minion', ME, 'host', HOST)
end

-- Call with all of these words, a thousand at a time: Lua's stack is bounded.
local function call_with(words, ...)
  local head = { ... }
  for first = 1, #words, 1000 do
    local line = { unpack(head) }
    for n = first, math.min(first + 999, #words) do
      line[#line + 1] = words[n]
    end
    call(unpack(line))
  end
end

local function take_out_finished()
  call_with(finished, 'XACK', S, GROUP)
  call_with(finished, 'XDEL', S)
  if has_lives then
    call_with(finished, 'HDEL', LIVES)
  end
  call_with(places, 'HSET', IDS)
  if #foreign > 0 then
    call('HINCRBY', META, 'foreign', #foreign)
    call_with(foreign, 'HDEL', IDS)
  end
end

local function settle_one(held, how, entry, delivery, first, second, third)
  local age, life = mine(entry, delivery, held)
  if not age then
    return false
  end
  life = life or new_life()
  life.delivery = delivery
  if how == 'a' then
    finish(entry, life, age, first, second, third)
    return true
  end
  if third ~= '' then
    life.failure = third
  end
  if how == 'b' then
    bury(entry, life, ME, HOST, age)
  else
    life.attempt = life.attempt + tonumber(second)
    give_back(entry, life, now + tonumber(first), ME, HOST, age)
  end
  return true
end

-- Settle `count` tasks; returns, in pairs, the places of those that are not mine and why. What I settled last is
-- remembered for an hour: the same once more, as after an error, is no loss.
local function settle(count)
  local gone, accepted, before, held, seen = {}, {}, nil, nil, {}
  if count > 2 then
    held = {}
    for _, one in ipairs(call('XPENDING', S, GROUP, '-', '+', 1000, ME)) do
      held[one[1]] = one
    end
  end
  for n = 1, count do
    local how, entry, delivery = take(), take(), number()
    local key = ' ' .. entry .. '/' .. delivery .. ' '
    local first, second, third = take(), take(), take()
    local settled = seen[key] or settle_one(held, how, entry, delivery, first, second, third)
    seen[key] = settled
    if not settled then
      before = before or call('GET', SETTLED) or ''
      settled = string.find(before, key, 1, true)
    end
    if settled then
      accepted[#accepted + 1] = key
    else
      gone[#gone + 1] = n - 1
      gone[#gone + 1] = why(entry)
    end
  end
  take_out_finished()
  call('SET', SETTLED, table.concat(accepted), 'PX', HOUR)
  return gone
end
