-- Take all off the books: the new uuid. The stream goes on counting, so that no entry ever comes back as another task.
local uuid = take()
local count = call('XLEN', S) + call('XLEN', DEAD) + tonumber(call('HGET', META, 'done') or '0')
local stream, last = call('XINFO', 'STREAM', S), nil
for n = 1, #stream, 2 do
  if stream[n] == 'last-generated-id' then
    last = stream[n + 1]
  end
end
call('XTRIM', S, 'MAXLEN', 0)
call('XGROUP', 'DESTROY', S, GROUP)
call('XGROUP', 'CREATE', S, GROUP, '$')
call('UNLINK', IDS, DONE, DEAD, LIVES, WAITING, SUSPECTS, CANCELLED)
call('HDEL', META, 'done', 'records', 'lost')
call('HSET', META, 'uuid', uuid, 'cleared', last, 'was:' .. UUID, 1)
return { 'ok', count, wake(0, true) }
