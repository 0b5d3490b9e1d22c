-- Give back held tasks, not charged: max crashes, what to do (lost, named); minions that are gone, or entries ...
local max_crashes, what = number(), take()
local count = 0
if what == 'lost' then
  count = reclaim(max_crashes, rest())
else
  for _, entry in ipairs(rest()) do
    local minion, delivery, age = holder_of(entry)
    local life = life_of(entry) or new_life()
    if minion and not put_right(entry, life, minion) then
      local text = call('HGET', MINIONS, minion)
      life.delivery = life.holder == minion and life.delivery or delivery
      give_back(entry, life, now, minion, text and cjson.decode(text).host or '', age)
      count = count + 1
    end
  end
end
return { 'ok', count, wake(offered, false) }
