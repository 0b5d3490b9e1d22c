-- Find the queue, or make it: what to do where there is none (look, make, mend), a new uuid, the format we know.
local wish, uuid, format = take(), take(), number()
local kind = call('TYPE', S).ok
local is_stream = kind == 'stream'
if kind ~= 'none' and not is_stream then
  return { 'type', kind }
end
local known = tonumber(call('HGET', META, 'format') or '0')
if known > format then
  return { 'newer', known }
end
local found = false
if is_stream then
  for _, group in ipairs(call('XINFO', 'GROUPS', S)) do
    if group[2] ~= GROUP then
      return { 'group', group[2] }
    end
    found = true
  end
end
if not meta[1] and not is_stream and wish == 'look' then
  return { 'none' }
end
-- A book without its stream: the stream was deleted. (A stream without a book: somebody else published into it.)
local lost = meta[1] and not is_stream
if not found then
  call('XGROUP', 'CREATE', S, GROUP, '0', 'MKSTREAM')
end
if not meta[1] then
  call('HSET', META, 'uuid', uuid, 'format', format)
  lost = wish == 'mend'
else
  uuid = meta[1]
end
if lost then
  call('HSET', META, 'lost', 1)
end
return { 'ok', uuid, (lost or meta[3]) and 1 or 0 }
