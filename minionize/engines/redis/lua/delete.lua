-- Deleting what is done from the stream.

-- To find an entry the server goes through its node, up to a hundred entries. Where all that stands first in the stream is
-- done, as it mostly is, that is cut off at once instead: only what was looked at, because what else stands there may be
-- nobody's, and is to be lined up again. A few are looked at at a time, and only small ones: large ones stand few in a node.
local FEW, SMALL = 16, 200

-- Cut off what is done at the beginning of the stream; returns what is deleted now.
local function cut_off(is_finished, count)
  local deleted, last, looked, bytes = {}, nil, 0, 0
  while looked < count and bytes <= looked * SMALL do
    local line = call('XRANGE', S, last and '(' .. last or '-', '+', 'COUNT', looked == 0 and 1 or FEW)
    for _, one in ipairs(line) do
      if is_finished[one[1]] then
        if last then
          deleted[last] = true
        end
        last, looked, bytes = one[1], looked + 1, bytes + #one[2][2]
      else
        count = 0
        break
      end
    end
    if #line == 0 then
      break
    end
  end
  if looked > 1 then
    call('XTRIM', S, 'MINID', last) -- which leaves the last one
  end
  return deleted
end

-- Call with all of these words, some at a time; the second word of the command is its key, a third one there may be.
local function call_with(words, command, key, group)
  for first = 1, #words, PAGE do
    local last = math.min(first + PAGE - 1, #words)
    if group then
      call(command, key, group, unpack(words, first, last))
    else
      call(command, key, unpack(words, first, last))
    end
  end
end

-- Delete these, which nobody holds any more; `is_finished` has them by entry.
local function delete_finished(finished, is_finished)
  local others = finished
  if #finished > FEW then
    local deleted = cut_off(is_finished, #finished)
    others = {}
    for _, entry in ipairs(finished) do
      if not deleted[entry] then
        others[#others + 1] = entry
      end
    end
  end
  call_with(others, 'XDEL', S)
end
