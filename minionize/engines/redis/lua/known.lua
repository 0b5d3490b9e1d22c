-- The caller knows which queue it is: say so where this is another one, and whether that one was cleared on purpose.
if meta[1] ~= UUID then
  return { 'other', meta[1] or '', call('HEXISTS', META, 'was:' .. UUID) }
end
