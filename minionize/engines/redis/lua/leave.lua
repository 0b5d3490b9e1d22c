-- Give back all that I hold, and go.
keep_only({})
strike_off(ME)
call('DEL', SETTLED)
return { 'ok', wake(offered, call('XLEN', S) == 0) }
