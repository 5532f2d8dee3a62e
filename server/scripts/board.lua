-- What the live board shows. Work is bounded: of many tasks only the oldest are looked at one by one, of many keys and
-- receivers the lines of the first.

--- survey
-- A shard as it is now. Who waits in line is counted by key; of the tasks that have not ended only some are looked at,
-- for their types.
-- how many to look at, how many running ones to tell of
local unfinished = P .. ':unfinished'
local found = {total = redis.call('ZCARD', unfinished), types = {}, lines = {}, running = {}, sampled = 0, due = 0}
found.oldest = redis.call('ZRANGE', unfinished, 0, 0, 'WITHSCORES')[2]
found.shares = redis.call('HGETALL', P .. ':shares')
found.minutes = redis.call('HGETALL', P .. ':minutes')
found.newest = redis.call('LRANGE', P .. ':newest', 0, 99)
found.dead = redis.call('ZCARD', P .. ':dead')
for _, host in ipairs(redis.call('ZRANGE', P .. ':hosts', 0, 999)) do
  found.due = found.due + redis.call('ZCARD', owed_key(host))
end
for _, tenant in ipairs(redis.call('ZRANGE', P .. ':turns', 0, 999)) do
  found.lines[#found.lines + 1] = {tenant, redis.call('ZCARD', waiting_key(tenant))}
end
local claimed = redis.pcall('XPENDING', JOBS, 'workers')
found.claimed = claimed.err and 0 or claimed[1]
found.untaken = redis.call('XLEN', JOBS) - found.claimed
for _, member in ipairs(redis.call('ZRANGE', unfinished, 0, ARGV[1] - 1)) do
  local tenant, uuid = string.match(member, '^(.*):([^:]*)$')
  local about = redis.call('HMGET', task_key(tenant, uuid), 'kind', 'state')
  if about[1] then
    found.sampled = found.sampled + 1
    found.types[about[1]] = found.types[about[1]] or {}
    found.types[about[1]][about[2]] = (found.types[about[1]][about[2]] or 0) + 1
  end
end
for _, claim in ipairs(found.claimed > 0 and redis.call('XPENDING', JOBS, 'workers', '-', '+', ARGV[2]) or {}) do
  local entry = redis.call('XRANGE', JOBS, claim[1], claim[1])[1]
  if entry then
    local job = cjson.decode(entry[2][2])
    local about = redis.call('HMGET', task_key(job.tenant, job.uuid), 'progress', 'stage', 'started', 'created')
    found.running[#found.running + 1] = {job.tenant, job.uuid, job.task_type, claim[2], claim[4], about}
  end
end
return cjson.encode(found)

--- stories
-- How tasks stand or ended, for operators: nothing of what was asked or answered. False for one that is not known.
-- tenant, uuid, …
local found = {}
for place = 1, #ARGV, 2 do
  local about = redis.call('HMGET', task_key(ARGV[place], ARGV[place + 1]), 'kind', 'state', 'created', 'started',
    'ended', 'seconds', 'worker', 'by', 'progress', 'stage', 'outcome')
  local outcome = about[11] and cjson.decode(about[11]) or {}
  local failed = outcome.failure or {}
  about[11] = {code = failed.code, parameter = failed.parameter, spent = outcome.spent, cached = outcome.cached}
  found[#found + 1] = about[1] and about
end
return cjson.encode(found)
