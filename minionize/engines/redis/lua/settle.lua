-- Settle: runs of settlements, each begins with how, how many, delivery:
--   `a`  done, put by us: the entries, the ids, and what to keep of all (param US result, RS between)
--   `f`  done, published by others: the entries, the ids; they are only counted: there may be no end of them
--   `n`  one to be given back: entry, delay (ms), charge, failure       `b`  one to be buried: entry, failure

-- ---------------------------------------------------------------- what is mine

-- What I hold, by entry, as far as it was asked for at once.
local held, all_asked = {}, false
local function look_up(from, to, count)
  for _, one in ipairs(call('XPENDING', S, GROUP, from, to, count, ME)) do
    held[one[1]] = one
  end
end
local function look_up_all()
  if not all_asked then
    all_asked = true
    look_up('-', '+', PAGE)
  end
end

-- For how long I have held this very delivery (ms), and its life, if there is one; nil or false: it is not mine.
local function held_for(entry, delivery, text)
  local one = held[entry]
  if one and not text then
    return one[4] == delivery and one[3]
  end
  return mine(entry, delivery, one, text and read_json(text))
end

-- The lives, as they are written, of the entries that stand in ARGV from one place to another; false where there is none.
local function lives_between(from, to)
  local found = {}
  for first = from, has_lives and to or 0, PAGE do
    for _, text in ipairs(call('HMGET', LIVES, unpack(ARGV, first, math.min(first + PAGE - 1, to)))) do
      found[#found + 1] = text
    end
  end
  return found
end

-- ---------------------------------------------------------------- what was settled

-- What was accepted: by delivery, the entries; and by entry, the delivery.
local accepted, seen = {}, {}
local function accept_settlement(entry, delivery)
  local line = accepted[delivery] or {}
  line[#line + 1] = entry
  accepted[delivery], seen[entry] = line, delivery
end

-- What I settled last is remembered for an hour, a line for each delivery: the same once more, as after an error, is no loss.
local before
local function was_settled(entry, delivery)
  before = before or call('GET', SETTLED) or ''
  local _, start = string.find(before, '\n' .. delivery .. ' ', 1, true)
  local stop = start and string.find(before, ' ' .. entry .. ' ', start, true)
  return stop and not string.find(string.sub(before, start, stop), '\n', 1, true)
end

local function remember()
  local lines = {}
  for delivery, entries in pairs(accepted) do
    lines[#lines + 1] = '\n' .. delivery .. ' ' .. table.concat(entries, ' ') .. ' '
  end
  call('SET', SETTLED, table.concat(lines), 'PX', HOUR)
end

-- Places of those that are not mine, and why, in pairs.
local lost = {}
local function refuse(entry, delivery, place)
  if was_settled(entry, delivery) then
    accept_settlement(entry, delivery)
  else
    lost[#lost + 1] = place
    lost[#lost + 1] = why(entry)
  end
end

-- ---------------------------------------------------------------- done

-- Done tasks leave the stream, and enter the books, together: a call for each of them would cost as much as all the rest.
local finished, is_finished, places, foreign, done = {}, {}, {}, {}, 0
-- The record that is being made, the number of the last one, and bytes after which another one is begun.
local LARGE, records = 262144, tonumber(meta[7] or '0')
local ids, hows, contents, bytes_kept, all_same = {}, {}, {}, 0, true

local function close_record()
  if #ids > 0 then
    records = records + 1
    write_record(records, ids, all_same and hows[1] or hows, contents, now, ME, HOST)
    local place = '+' .. records
    for _, id in ipairs(ids) do
      places[#places + 1] = id
      places[#places + 1] = place
    end
    ids, hows, contents, bytes_kept, all_same = {}, {}, {}, 0, true
  end
end

local function keep(id, how)
  ids[#ids + 1], hows[#hows + 1] = id, how
  all_same = all_same and how == hows[1]
end

-- Keep of all what is to be kept of the good ones (their numbers).
local function keep_contents(text, good, count)
  if #good < count then
    local parts, chosen = split(text, RECORD_SEPARATOR), {}
    for _, n in ipairs(good) do
      chosen[#chosen + 1] = parts[n]
    end
    text = table.concat(chosen, RECORD_SEPARATOR)
  end
  if #good > 0 then
    contents[#contents + 1], bytes_kept = text, bytes_kept + #text
  end
  if bytes_kept > LARGE then
    close_record()
  end
end

local function take_out_finished()
  if done > 0 then
    close_record()
    call_with(finished, 'XACK', S, GROUP)
    delete_finished(finished, is_finished)
    if has_lives then
      call_with(finished, 'HDEL', LIVES)
    end
    call_with(places, 'HSET', IDS)
    call_with(foreign, 'HDEL', IDS)
    call('HSET', META, 'done', tonumber(meta[8] or '0') + done, 'records', records)
  end
end

-- Settle a run of those that are done. `place` is that of the first.
local function settle_done(count, delivery, place, ours)
  local first, names, good = at, at + count, {}
  at = at + 2 * count
  if count > 2 then
    look_up(ARGV[first + 1], ARGV[first + count], count + 50)
  end
  local lives, age_before, how = lives_between(first + 1, first + count), nil, nil
  for n = 1, count do
    local entry = ARGV[first + n]
    if seen[entry] ~= delivery then
      if count > 2 and not held[entry] then
        look_up_all()
      end
      local age, life = held_for(entry, delivery, lives[n])
      if age then
        if life or age ~= age_before then
          how = (life and life.attempt or 1) .. ' ' .. delivery .. ' ' .. (life and life.crashes or 0) .. ' ' .. age
          age_before = not life and age
        end
        good[#good + 1] = n
        finished[#finished + 1], is_finished[entry] = entry, true
        accept_settlement(entry, delivery)
        if ours then
          keep(ARGV[names + n], how)
        else
          foreign[#foreign + 1] = ARGV[names + n]
        end
      else
        refuse(entry, delivery, place + n - 1)
      end
    end
  end
  done = done + #good
  if ours then
    keep_contents(take(), good, count)
  end
end

-- ---------------------------------------------------------------- failed

local function settle_failed(how, delivery, place)
  local entry, delay, charge = take(), 0, 0
  if how == 'n' then
    delay, charge = number(), number()
  end
  local failure = take()
  if seen[entry] == delivery then
    return
  end
  local age, life = held_for(entry, delivery, has_lives and call('HGET', LIVES, entry))
  if not age then
    refuse(entry, delivery, place)
    return
  end
  life = life or new_life()
  life.delivery = delivery
  if failure ~= '' then
    life.failure = failure
  end
  if how == 'b' then
    bury(entry, life, ME, HOST, age)
  else
    life.attempt = life.attempt + charge
    give_back(entry, life, now + delay, ME, HOST, age)
  end
  accept_settlement(entry, delivery)
end

-- Settle so many runs; returns, in pairs, the places of those that are not mine and why.
local function settle(runs)
  local place = 0
  for _ = 1, runs do
    local how, count, delivery = take(), number(), number()
    if how == 'a' or how == 'f' then
      settle_done(count, delivery, place, how == 'a')
    else
      settle_failed(how, delivery, place)
    end
    place = place + count
  end
  take_out_finished()
  remember()
  return lost
end
