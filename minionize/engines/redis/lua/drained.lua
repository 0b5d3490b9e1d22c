-- Who asked the minions to leave.
return { 'ok', drained() and meta[2] or '' }
