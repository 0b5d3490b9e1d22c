-- Ask all minions to leave: who and when, as JSON; '' takes that back.
local drain = take()
if drain == '' then
  call('HDEL', META, 'drain')
else
  call('HSET', META, 'drain', drain)
end
return { 'ok', wake(0, drain ~= '') }
