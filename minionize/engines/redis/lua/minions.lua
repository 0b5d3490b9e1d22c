-- Leases, and what is taken back from lost minions.

-- Let the books know us, and give our lease its whole length where it has lost a third of it.
local function register(lease, identity, view, always)
  local deadline = call('ZSCORE', LEASES, ME)
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

-- A holder that has no lease (its key was evicted, or it is no minion) gets one, so that what it holds comes back.
local function find_strays(lease)
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
