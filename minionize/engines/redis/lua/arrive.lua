-- A minion has connected: the server's run, lease. Where that is another run than before, the server was down or is another
-- one: nobody could renew meanwhile, so every lease begins anew before anything is taken from anybody.
local run, lease = take(), number()
if call('HGET', META, 'run') ~= run then
  call('HSET', META, 'run', run)
  for _, minion in ipairs(call('ZRANGE', LEASES, 0, -1)) do
    call('ZADD', LEASES, 'XX', 'GT', now + lease, minion)
  end
end
return { 'ok' }
