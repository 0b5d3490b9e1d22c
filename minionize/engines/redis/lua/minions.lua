-- Leases, and what is taken back from lost minions.

-- Two thirds of a lease without a word of any minion, says one that lived through it: nobody could renew (the server stood
-- still, or was cut off from all), or its clock was set. That time does not count for any lease that was not over before.
local function leave_out_silence(lease, deadline)
  local heard = tonumber(meta[5] or real)
  local silence = real - heard
  if silence < -1000 or (deadline and silence > lease * 2 / 3) then
    local leases = call('ZRANGE', LEASES, 0, -1, 'WITHSCORES')
    for n = 1, #leases, 2 do
      local ends = tonumber(leases[n + 1])
      if ends >= heard + now - real or (silence < 0 and ends > 0) then
        call('ZADD', LEASES, 'XX', ends + silence, leases[n])
      end
    end
  end
  if not meta[5] or silence < -1000 or silence > lease / 10 then
    call('HSET', META, 'heard', real)
  end
end

-- Let the books know us, and give our lease its whole length where it has lost a third of it.
local function register(lease, identity, view, always)
  local deadline = call('ZSCORE', LEASES, ME)
  leave_out_silence(lease, deadline)
  if not deadline then
    call('HSET', MINIONS, ME, identity)
    call('HSET', S .. ':here:' .. view, ME, identity)
  end
  if always or not deadline or tonumber(deadline) - now < lease * 2 / 3 then
    call('ZADD', LEASES, now + lease, ME)
  end
end

local function strike_off(minion)
  local text = call('HGET', MINIONS, minion)
  local who = text and cjson.decode(text) or {}
  call('ZREM', LEASES, minion)
  call('HDEL', MINIONS, minion)
  call('HDEL', S .. ':here:' .. (who.view or ''), minion)
  call('XGROUP', 'DELCONSUMER', S, GROUP, minion)
end

local function crash(held, minion, who, max_crashes)
  local entry, age, count = held[1], held[3], held[4]
  local life = life_of(entry) or new_life()
  if put_right(entry, life, minion) then
    return 0
  end
  life.delivery = life.holder == minion and life.delivery or count
  if not who.preemptible then
    life.crashes = life.crashes + 1
  end
  if life.crashes >= max_crashes then
    local reason = life.crashes .. ' minions vanished with it, the last one on ' .. (who.host or 'a host unknown')
    life.failure = cjson.encode({ kind = 'crash', reason = reason, minion = minion, host = who.host or '', at = now / 1000 })
    bury(entry, life, minion, who.host or '', age)
  else
    give_back(entry, life, now, minion, who.host or '', age)
  end
  return 1
end

-- Take back what lost minions hold: those named, and those whose lease is over. Bounded, so that no call takes long:
-- what is left over is for the next one. Says how many tasks.
local function reclaim(max_crashes, gone)
  local lost, count = call('ZRANGEBYSCORE', LEASES, '-inf', '(' .. now, 'LIMIT', 0, 8), 0
  for _, minion in ipairs(gone) do
    lost[#lost + 1] = minion
  end
  for _, minion in ipairs(lost) do
    if minion ~= ME then
      local text = call('HGET', MINIONS, minion)
      local who = text and cjson.decode(text) or {}
      local held = call('XPENDING', S, GROUP, '-', '+', 200, minion)
      for _, one in ipairs(held) do
        count = count + crash(one, minion, who, max_crashes)
      end
      if #held < 200 then
        strike_off(minion)
      else
        call('ZADD', LEASES, 0, minion)
      end
    end
  end
  return count
end

-- A holder that has no lease (its key was evicted, or it is no minion) gets one, so that what it holds comes back. To look
-- at a thousand of them takes 2 ms, so it is done ten times a lease, by whoever comes.
local function find_strays(lease)
  if meta[6] and math.abs(now - tonumber(meta[6])) < lease / 10 then
    return
  end
  call('HSET', META, 'looked', now)
  for _, consumer in ipairs(call('XINFO', 'CONSUMERS', S, GROUP)) do
    if consumer[4] > 0 then
      call('ZADD', LEASES, 'NX', now + lease, consumer[2])
    end
  end
end

-- Give back what I hold beyond what `keep` names (entry -> true), not charged.
local function keep_only(keep)
  local from = '-'
  while true do
    local held = call('XPENDING', S, GROUP, from, '+', 500, ME)
    for _, one in ipairs(held) do
      local entry = one[1]
      if not keep[entry] then
        local life = life_of(entry) or new_life()
        if not put_right(entry, life, ME) then
          life.delivery = life.holder == ME and life.delivery or one[4]
          give_back(entry, life, now, ME, HOST, one[3])
        end
      end
    end
    if #held < 500 then
      return
    end
    from = '(' .. held[#held][1]
  end
end
