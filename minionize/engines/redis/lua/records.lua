-- What is kept of done tasks. Those that were settled in one call are one record: a key of the server's for each would cost
-- more than all the rest. It is made of: when they ended (ms), minion, host, ids, how it was for each (`attempt delivery
-- crashes ms`; one text where that is the same for all), and param US result of each, RS between them. Where that is large,
-- it stands in a field of its own, number+, because each part that it would be put into is one more copy.
local RECORD_SEPARATOR, UNIT_SEPARATOR = '\30', '\31'

local function split(text, separator)
  local parts, from = {}, 1
  while true do
    local stop = string.find(text, separator, from, true)
    parts[#parts + 1] = string.sub(text, from, stop and stop - 1)
    if not stop then
      return parts
    end
    from = stop + 1
  end
end

-- Bytes from which on it does.
local COPIED = 16384

local function read_record(number)
  local text = call('HGET', DONE, number)
  local record = text and { cmsgpack.unpack(text) }
  return record and { ended = record[1], minion = record[2], host = record[3], ids = record[4], hows = record[5],
    contents = split(record[6] or call('HGET', DONE, number .. '+') or '', RECORD_SEPARATOR) }
end

local function write_record(number, ids, hows, contents, ended, minion, host)
  local text = #contents == 1 and contents[1] or table.concat(contents, RECORD_SEPARATOR)
  if #text < COPIED then
    call('HSET', DONE, number, cmsgpack.pack(ended, minion, host, ids, hows, text))
  else
    call('HSET', DONE, number, cmsgpack.pack(ended, minion, host, ids, hows), number .. '+', text)
  end
end

-- The tasks of a record as rows for people; with an `id` only that one.
local function done_rows(number, id)
  local record, rows = read_record(number), {}
  for n, name in ipairs(record and record.ids or {}) do
    if not id or name == id then
      local how = type(record.hows) == 'table' and record.hows[n] or record.hows
      rows[#rows + 1] = { 'done', record.ended, name, record.contents[n], how, record.minion, record.host }
    end
  end
  return rows
end

-- Strike a task from a record; says whether it was there.
local function strike_out(number, id)
  local record = read_record(number)
  for n, name in ipairs(record and record.ids or {}) do
    if name == id then
      table.remove(record.ids, n)
      table.remove(record.contents, n)
      if type(record.hows) == 'table' then
        table.remove(record.hows, n)
      end
      call('HDEL', DONE, number, number .. '+')
      if #record.ids > 0 then
        write_record(number, record.ids, record.hows, record.contents, record.ended, record.minion, record.host)
      end
      call('HINCRBY', META, 'done', -1)
      return true
    end
  end
  return false
end
