-- Describe what is at these places: the id (for a done task; '' elsewhere is enough) and the place of each, an entry or what
-- S:ids says of done and dead ones. What is gone is left out.
local rows = {}
while at < #ARGV do
  local id, place = take(), take()
  rows[#rows + 1] = row_at(id, place)
end
return { 'ok', rows }
