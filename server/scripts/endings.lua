-- What becomes of a task and of those that build on it: what steps have in common about its end.

-- The images that a task has registered: its results, and inputs that it was given as bytes.
local function images_of(task) return cjson.decode(redis.call('HGET', task, 'images') or '[]') end

-- A task that others build on is kept, with its images, until the last of them has ended.
local function pin(tenant, uuid)
  local task = task_key(tenant, uuid)
  redis.call('HINCRBY', task, 'pins', 1)
  redis.call('PERSIST', task)
  if redis.call('HGET', task, 'state') ~= 'succeeded' then return end
  for _, image in ipairs(images_of(task)) do redis.call('PERSIST', image_key(tenant, image)) end
end

-- The images of a task are not kept for others any more: the term of each starts again, or its hard end comes at its
-- time, or now.
local function loosen(tenant, task)
  for _, image in ipairs(images_of(task)) do
    local key = image_key(tenant, image)
    if redis.call('TTL', key) == -1 then
      local kept = cjson.decode(redis.call('GET', key))
      local left = kept.ttl and math.max(1, math.ceil(kept.created + kept.ttl - clock() / 1000))
      redis.call('EXPIRE', key, left or IMAGE_TTL)
    end
  end
end

-- `result_ttl` in seconds. What is owed of the task's outcome may ask for a longer time (see `undelivered`).
local function unpin(tenant, uuid, result_ttl)
  local task = task_key(tenant, uuid)
  local about = redis.call('HMGET', task, 'state', 'pins', 'kept')
  if tonumber(about[2] or 0) <= 0 then return end
  if redis.call('HINCRBY', task, 'pins', -1) > 0 or not is_over(about[1]) then return end
  redis.call('EXPIRE', task, math.max(result_ttl, about[3] or 0))
  loosen(tenant, task)
end

-- How a task ended, for the counters. A code may be made of a parameter's name: beyond so many they are one.
local function count_end(kind, state, code)
  local stats = P .. ':stats'
  local name = 'finished|' .. kind .. '|' .. state .. '|'
  if code ~= '' and redis.call('HEXISTS', stats, name .. code) == 0 and redis.call('HLEN', stats) > 8000 then
    code = 'other'
  end
  redis.call('HINCRBY', stats, name .. code, 1)
end

-- What the board shows of the past: ends by the minute for an hour, and the newest of them.
local function chronicle(tenant, uuid, word, now)
  local minutes, minute = P .. ':minutes', math.floor(now / 60000)
  if redis.call('HINCRBY', minutes, minute .. '|' .. word, 1) == 1 then
    for _, name in ipairs(redis.call('HKEYS', minutes)) do
      if tonumber(string.match(name, '^%d+')) < minute - 60 then redis.call('HDEL', minutes, name) end
    end
  end
  local newest = P .. ':newest'
  if redis.call('LPUSH', newest, tenant .. ':' .. uuid) >= 200 then redis.call('LTRIM', newest, 0, 99) end
end

-- A task's one end: its outcome, the outboxes, the deliveries, the counters. `about` has result_ttl (s), seconds and
-- deliveries.
local function conclude(tenant, uuid, state, outcome, code, about)
  local task, now = task_key(tenant, uuid), clock()
  local kept = redis.call('HMGET', task, 'kind', 'pins', 'parents', 'failing', 'of')
  local kind = kept[1] or ''
  redis.call('HSET', task, 'state', state, 'outcome', outcome, 'seconds', about.seconds, 'ended', now)
  redis.call('HDEL', task, 'progress', 'stage', 'job', 'failing', 'parents', 'of')
  if tonumber(kept[2] or 0) <= 0 then redis.call('EXPIRE', task, about.result_ttl) end
  for _, session in ipairs(redis.call('SMEMBERS', waiters_key(tenant, uuid))) do append(session, uuid) end
  redis.call('DEL', waiters_key(tenant, uuid))
  for _, owed in ipairs(cjson.decode(about.deliveries or kept[4] or '[]')) do
    redis.call('HSET', delivery_key(owed.id), 'host', owed.host, 'about', cjson.encode(owed), 'attempts', 0)
    owe(owed.host, owed.id, math.floor(now / 1000))
  end
  redis.call('ZREM', P .. ':deadlines', 'start:' .. tenant .. ':' .. uuid, 'end:' .. tenant .. ':' .. uuid)
  for _, pinned in ipairs({kept[3] or '[]', kept[5] or '[]'}) do
    for _, parent in ipairs(cjson.decode(pinned)) do unpin(tenant, parent, about.result_ttl) end
  end
  local shares = P .. ':shares'
  if redis.call('ZREM', P .. ':unfinished', tenant .. ':' .. uuid) == 1
    and redis.call('HINCRBY', shares, tenant, -1) <= 0 then redis.call('HDEL', shares, tenant) end
  local day = math.floor(now / 86400000)
  redis.call('HINCRBY', P .. ':usage:' .. tenant, day .. '|' .. kind, 1)
  redis.call('HINCRBYFLOAT', P .. ':spent:' .. tenant, day .. '|' .. kind, about.seconds)
  chronicle(tenant, uuid, code == 'taskCancelled' and 'cancelled' or state, now)
  local stats = P .. ':stats'
  count_end(kind, state, code)
  redis.call('HINCRBYFLOAT', stats, 'seconds|' .. kind, about.seconds)
  for _, edge in ipairs({0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300}) do
    if tonumber(about.seconds) <= edge then
      redis.call('HINCRBY', stats, 'bucket|' .. kind .. '|' .. edge, 1)
      break
    end
  end
end

-- A failure of a task that Redis itself ends. What came with it goes a minute later: some worker may just be at it.
local function fail(tenant, uuid, failed, result_ttl)
  local kind, job = unpack(redis.call('HMGET', task_key(tenant, uuid), 'kind', 'job'))
  redis.call('RPUSH', P .. ':ended', cjson.encode({tenant = tenant, uuid = uuid, kind = kind, code = failed.code}))
  redis.call('LTRIM', P .. ':ended', -10000, -1)
  for _, blob in ipairs(job and cjson.decode(job).staged or {}) do
    redis.call('ZADD', P .. ':expiry', math.floor(clock() / 1000) + 60, blob)
  end
  conclude(tenant, uuid, 'failed', cjson.encode({failure = failed}), failed.code,
    {result_ttl = result_ttl, seconds = '0'})
end

-- What a task that builds on a failed one ends with. The code of the first failure goes down the whole graph.
local function inherited(cause, uuid)
  if cause.code == 'taskCancelled' then return failure('taskCancelled') end
  local failed = failure('dependencyFailed')
  failed.cause = cause.cause or {taskUUID = uuid, code = cause.code}
  failed.message = string.format(failed.message, failed.cause.taskUUID, failed.cause.code)
  return failed
end

-- Whoever waits for an ended task goes on, or ends with it. Members of children: whether the child needs success
-- ('!') or any end ('?'), its tenant, its UUID.
local function settle(tenant, uuid, failed, result_ttl)
  local ended, hungry = {{tenant, uuid, failed}}, false
  while #ended > 0 do
    local one = table.remove(ended)
    local children = redis.call('SMEMBERS', children_key(one[1], one[2]))
    if #children > 0 then redis.call('DEL', children_key(one[1], one[2])) end
    for _, member in ipairs(children) do
      local needs, owner, child = string.match(member, '^(.)(.*):([^:]*)$')
      if redis.call('HGET', task_key(owner, child), 'state') == 'held' then
        if one[3] and needs == '!' then
          local cause = inherited(one[3], one[2])
          fail(owner, child, cause, result_ttl)
          ended[#ended + 1] = {owner, child, cause}
        elseif redis.call('HINCRBY', task_key(owner, child), 'left', -1) <= 0 then
          redis.call('HSET', task_key(owner, child), 'state', 'queued')
          hungry = enqueue(owner, child, redis.call('HGET', task_key(owner, child), 'rank') or 0) or hungry
        end
      end
    end
  end
  if hungry then feed() end
end

-- The claim of a worker on a message, as XPENDING tells it; nothing when it is not this worker's.
local function held(message, worker)
  local pending = redis.call('XPENDING', JOBS, 'workers', message, message, 1)[1]
  return pending and pending[2] == worker and pending
end

local function drop(message)
  redis.call('XACK', JOBS, 'workers', message)
  redis.call('XDEL', JOBS, message)
end

-- End a task that has not ended, wherever it is. A worker that has it is told to let go, and what it says later is
-- refused: its claim is gone.
local function stop(tenant, uuid, failed, result_ttl)
  local about = redis.call('HMGET', task_key(tenant, uuid), 'state', 'message')
  if not about[1] then return 'notFound' end
  if is_over(about[1]) then return 'alreadyFinished' end
  redis.call('ZREM', waiting_key(tenant), uuid)
  if redis.call('EXISTS', waiting_key(tenant)) == 0 then redis.call('ZREM', P .. ':turns', tenant) end
  if about[2] then
    drop(about[2])
    redis.call('PUBLISH', P .. ':stop', P .. '|' .. about[2])
  end
  fail(tenant, uuid, failed, result_ttl)
  settle(tenant, uuid, failed, result_ttl)
  feed()
  return 'cancelled'
end
