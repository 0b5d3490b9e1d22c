-- Take tasks off the books: id and place of each ...
local count = 0
while at < #ARGV do
  local id, place = take(), take()
  local mark, removed = string.sub(place, 1, 1), 0
  if mark == '+' then
    removed = strike_out(string.sub(place, 2), id) and 1 or 0
  elseif mark == '-' then
    removed = call('XDEL', DEAD, string.sub(place, 2))
  else
    if holder_of(place) then
      call('ZREMRANGEBYSCORE', CANCELLED, '-inf', now - DAY)
      call('ZADD', CANCELLED, now, place)
      call('PEXPIRE', CANCELLED, DAY)
    end
    removed = call('XLEN', S)
    take_out(place)
    removed = removed - call('XLEN', S)
  end
  call('HDEL', IDS, id)
  count = count + removed
end
return { 'ok', count, wake(0, call('XLEN', S) == 0) }
