-- How tasks stand, for whoever asks.

--- members
-- The tasks that a task about a batch has waited for: uuid, type, state, code, seconds.
-- tenant, uuid of that task
local found = {}
local of = redis.call('HGET', task_key(ARGV[1], ARGV[2]), 'of')
for _, uuid in ipairs(cjson.decode(of or '[]')) do
  local about = redis.call('HMGET', task_key(ARGV[1], uuid), 'type', 'state', 'outcome', 'seconds')
  if about[1] then
    local failed = about[2] == 'failed' and cjson.decode(about[3]).failure
    found[#found + 1] = {uuid, about[1], about[2], failed and failed.code or '', about[4] or '0'}
  end
end
return found

--- standings
-- How tasks stand: for each its state, its progress, its stage, and how many tasks will be given out before it, as far
-- as one can tell now; none where it waits for no turn.
-- tenant, uuids…
local tenant, found, lines = ARGV[1], {}, nil
-- The lines of the other tenants: how long each is, and whether its turn comes after this tenant's.
local function others()
  local passed, all = false, {}
  for _, other in ipairs(redis.call('ZRANGE', P .. ':turns', 0, 199)) do
    if other == tenant then passed = true
    else all[#all + 1] = {redis.call('ZCARD', waiting_key(other)), passed} end
  end
  return all
end
for place = 2, #ARGV do
  local about = redis.call('HMGET', task_key(tenant, ARGV[place]), 'state', 'progress', 'stage')
  local own, ahead = redis.call('ZRANK', waiting_key(tenant), ARGV[place]), 0
  if own then
    lines, ahead = lines or others(), untaken() + own
    for _, line in ipairs(lines) do ahead = ahead + math.min(line[1], line[2] and own or own + 1) end
  end
  found[#found + 1] = {about[1], about[2], about[3], about[1] ~= 'held' and ahead}
end
return found
