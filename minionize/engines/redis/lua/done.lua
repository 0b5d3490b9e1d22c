-- Describe done tasks, oldest first: behind which record, how many tasks at least. Returns the last record that was looked at
-- ('': that was all), and the rows.
local after, count = number(), number()
local last, rows, bytes = tonumber(call('HGET', META, 'records') or '0'), {}, 0
local far = math.min(last, after + 1000)
while after < far and #rows < count and bytes < 4194304 do
  after = after + 1
  for _, row in ipairs(done_rows(after)) do
    rows[#rows + 1] = row
    bytes = bytes + #row[4]
  end
end
return { 'ok', after < last and after or '', rows }
