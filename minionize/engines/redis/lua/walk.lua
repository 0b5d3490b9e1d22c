-- Describe the tasks of one state ('': of any) that stand behind an entry: state, entry, how many to look at.
local wanted, after, count = take(), take(), number()
local rows, last, bytes = {}, '', 0
for _, one in ipairs(call('XRANGE', S, after, '+', 'COUNT', count)) do
  local row = live_row(one[1], one[2])
  last = one[1]
  if wanted == '' or row[4] == wanted then
    rows[#rows + 1] = row
    for n = 2, #one[2], 2 do
      bytes = bytes + #one[2][n]
    end
  end
  if bytes > 4194304 then
    break
  end
end
return { 'ok', last, rows }
