-- Describe what is at these places: entries, or what S:ids says of done and dead ones. What is gone is left out.
local rows = {}
for _, place in ipairs(rest()) do
  rows[#rows + 1] = row_at(place)
end
return { 'ok', rows }
