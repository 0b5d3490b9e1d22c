-- Prolong the lease of all that is named, and give back the rest: lease, max crashes, identity, view, entry and delivery ...
local lease, max_crashes, identity, view = number(), number(), take(), take()
local gone, keep, place = {}, {}, 0
while at < #ARGV do
  local entry, delivery = take(), number()
  if mine(entry, delivery) then
    keep[entry] = true
  else
    gone[#gone + 1] = place
    gone[#gone + 1] = why(entry)
  end
  place = place + 1
end
register(lease, identity, view, true)
keep_only(keep)
find_strays(lease)
reclaim(max_crashes, {})
return { 'ok', gone, wake(offered, false) }
