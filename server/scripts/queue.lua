-- Jobs from submit to their one end.

--- submit
-- The task is known: attach to it, or conflict. Else: remembered, queued or held, and waited for, all or nothing.
-- tenant, uuid, hash, session, mode, type as sent, delivery, request, result uuids, job, task type, priority,
-- references, start within (ms; 0: any time), end within (ms), what is owed for a failure, most for a tenant, most,
-- 1: only look whether it would be taken, its batch, the batch it is about, result ttl (s), most for a batch, dialect
local tenant, uuid, hash, session, mode = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local task, dry = task_key(tenant, uuid), ARGV[19] == '1'
local known = redis.call('HMGET', task, 'hash', 'state', 'uuids')
if known[1] then
  -- The same job, not only the same task: its submit is said again because the reply was lost.
  if known[3] == ARGV[9] then return {'accepted'} end
  if known[1] ~= hash or mode == 'conflict' then return {'conflict'} end
  if dry then return {'right'} end
  if not is_over(known[2]) then
    expect(session, tenant, uuid)
    return {'attached'}
  end
  if redis.call('HGET', task, 'replayed') ~= ARGV[9] then
    redis.call('HSET', task, 'replayed', ARGV[9])
    append(session, uuid)
  end
  return {'replayed'}
end

-- References: uuid, n (0: none is named), bare (it may name an image as well). What is found decides before anything
-- is written.
local parents, states, open = {}, {}, 0
for place, named in ipairs(cjson.decode(ARGV[13])) do
  if not (named.bare and redis.call('EXISTS', image_key(tenant, named.uuid)) == 1) then
    local about = redis.call('HMGET', task_key(tenant, named.uuid), 'state', 'uuids', 'outcome')
    if about[1] == 'failed' then
      return {'broken', place, cjson.encode(inherited(cjson.decode(about[3]).failure, named.uuid))}
    elseif not about[1] then
      if not named.bare then return {'unknown', place} end
    elseif named.n > #cjson.decode(about[2]) then
      return {'fewer', place, #cjson.decode(about[2])}
    elseif not states[named.uuid] then
      states[named.uuid] = about[1]
      parents[#parents + 1] = named.uuid
      if not is_over(about[1]) then open = open + 1 end
    end
  end
end
if dry then return {'right'} end
-- Of the tasks that are in a batch by now, any end will do.
local needs, members = {}, {}
for _, member in ipairs(ARGV[21] ~= '' and redis.call('ZRANGE', batch_key(tenant, ARGV[21]), 0, -1) or {}) do
  local state = redis.call('HGET', task_key(tenant, member), 'state')
  if state then
    members[#members + 1] = member
    if not states[member] then
      states[member], needs[member] = state, '?'
      if not is_over(state) then open = open + 1 end
    end
  end
end
if ARGV[21] ~= '' and #members == 0 then return {'no batch'} end
if ARGV[20] ~= '' and redis.call('ZCARD', batch_key(tenant, ARGV[20])) >= tonumber(ARGV[23]) then
  return {'full batch'}
end
if tonumber(redis.call('HGET', P .. ':shares', tenant) or 0) >= tonumber(ARGV[17]) then return {'full'} end
if redis.call('ZCARD', P .. ':unfinished') >= tonumber(ARGV[18]) then return {'full for all'} end

local now = clock()
-- By priority, then by age; both fit into the 53 bits of a score.
local number = redis.call('INCR', P .. ':rank')
local rank = (10 - ARGV[12]) * 2 ^ 45 + number
local state = open == 0 and 'queued' or 'held'
redis.call('HSET', task, 'hash', hash, 'state', state, 'created', now, 'type', ARGV[6], 'delivery', ARGV[7],
  'request', ARGV[8], 'uuids', ARGV[9], 'job', ARGV[10], 'kind', ARGV[11], 'rank', string.format('%.0f', rank),
  'left', open)
if #parents > 0 then redis.call('HSET', task, 'parents', cjson.encode(parents)) end
if #members > 0 then redis.call('HSET', task, 'of', cjson.encode(members)) end
if ARGV[16] ~= '[]' then redis.call('HSET', task, 'failing', ARGV[16]) end
if ARGV[20] ~= '' then
  redis.call('ZADD', batch_key(tenant, ARGV[20]), number, uuid)
  redis.call('EXPIRE', batch_key(tenant, ARGV[20]), ARGV[22])
end
expect(session, tenant, uuid)
redis.call('HINCRBY', P .. ':shares', tenant, 1)
redis.call('ZADD', P .. ':unfinished', now, tenant .. ':' .. uuid)
redis.call('HINCRBY', P .. ':stats', 'received|' .. ARGV[11] .. '|' .. ARGV[24], 1)
if ARGV[14] ~= '0' then redis.call('ZADD', P .. ':deadlines', now + ARGV[14], 'start:' .. tenant .. ':' .. uuid) end
if ARGV[15] ~= '0' then redis.call('ZADD', P .. ':deadlines', now + ARGV[15], 'end:' .. tenant .. ':' .. uuid) end
for _, above in ipairs({parents, members}) do
  for _, parent in ipairs(above) do
    pin(tenant, parent)
    if not is_over(states[parent]) then
      redis.call('SADD', children_key(tenant, parent), (needs[parent] or '!') .. tenant .. ':' .. uuid)
    end
  end
end
if open == 0 and enqueue(tenant, uuid, rank) then feed() end
return {'accepted'}

--- take
-- The next job for a worker, if there is one, and the next one after it onto the stream.
-- worker
local function read()
  return redis.call('XREADGROUP', 'GROUP', 'workers', ARGV[1], 'COUNT', 1, 'STREAMS', JOBS, '>')
end
local found = read()
if not found then
  give()
  found = read()
end
if found then give() end
return found

--- feed
-- A job was taken from the stream: the next one onto it.
feed()
return 1

--- start
-- A worker began: the fence, and the state that getResponse shows.
-- tenant, uuid, message, worker
local pending = held(ARGV[3], ARGV[4])
if not pending then return 0 end
local now = clock()
redis.call('HSET', task_key(ARGV[1], ARGV[2]), 'state', 'running', 'started', now, 'worker', ARGV[4])
redis.call('ZREM', P .. ':deadlines', 'start:' .. ARGV[1] .. ':' .. ARGV[2])
announce(ARGV[1], ARGV[2], {type = 'task', state = 'running'})
return pending[4]

--- renew
-- Only the owner keeps its claim; a worker that was away too long learns that it lost it.
-- message, worker
if not held(ARGV[1], ARGV[2]) then return 0 end
redis.call('XCLAIM', JOBS, 'workers', ARGV[2], 0, ARGV[1], 'JUSTID')
return 1

--- release
-- The owner hands its job back unharmed: it is stale at once, and the others are told to look for it.
-- message, worker, idle (ms)
if not held(ARGV[1], ARGV[2]) then return 0 end
redis.call('XCLAIM', JOBS, 'workers', ARGV[2], 0, ARGV[1], 'IDLE', ARGV[3], 'RETRYCOUNT', 0, 'JUSTID')
redis.call('PUBLISH', P .. ':ready', 'stale')
return 1

--- progress
-- How far a running task is. A second attempt does not go back behind the first.
-- tenant, uuid, message, worker, fraction, stage
if not held(ARGV[3], ARGV[4]) then return 0 end
local task = task_key(ARGV[1], ARGV[2])
local far = math.max(tonumber(redis.call('HGET', task, 'progress') or 0), tonumber(ARGV[5]))
redis.call('HSET', task, 'progress', string.format('%.4f', far), 'stage', ARGV[6])
announce(ARGV[1], ARGV[2], {type = 'task', state = 'running', progress = far, stage = ARGV[6]})
return 1

--- lead
-- The same work is done once. Answers 'lead' to whoever is to do it; 'follow' to a task that has been put aside
-- until its leader ends; else the leader's tenant, its UUID and its outcome.
-- tenant, uuid, message, worker, work, how long it is known (s), job, use | refresh, a leader (tenant:uuid) whose
-- images are gone
local tenant, uuid, message, worker = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local claim = held(message, worker)
if not claim then return {'lost'} end
local key, task = P .. ':work:' .. ARGV[5], task_key(tenant, uuid)
local known, me = redis.call('GET', key), tenant .. ':' .. uuid
if known and known ~= me and known ~= ARGV[9] and ARGV[8] == 'use' then
  local owner, leader = string.match(known, '^(.*):([^:]*)$')
  local about = redis.call('HMGET', task_key(owner, leader), 'state', 'outcome', 'work')
  if about[3] ~= ARGV[5] then about = {} end -- the leader is forgotten, and another task has its UUID
  local followed = redis.call('HGET', task, 'leader') == known
  -- What Redis itself has ended says nothing of the work.
  local told = about[1] == 'failed' and not failure(cjson.decode(about[2]).failure.code)
  if about[1] == 'succeeded' or (told and followed) then
    return {'done', owner, leader, about[2]}
  elseif about[1] == 'queued' or about[1] == 'running' then
    drop(message)
    redis.call('HDEL', task, 'message', 'started', 'worker')
    redis.call('HSET', task, 'state', 'held', 'job', ARGV[7], 'left', 1, 'leader', known)
    redis.call('SADD', children_key(owner, leader), '?' .. me)
    feed()
    return {'follow'}
  end
end
redis.call('SET', key, me, 'EX', ARGV[6])
redis.call('HSET', task, 'work', ARGV[5])
return {'lead'}

--- finish
-- The outcome, the new images, the outboxes, the deliveries, the counters and the acknowledgement: together or not,
-- and only for the worker that still owns the job. Said again by the same owner it changes nothing.
-- tenant, uuid, message, worker, state, outcome, result ttl (s), image ttl (s), images to register,
-- images to forget, seconds, deliveries
local tenant, uuid, message, worker = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local task = task_key(tenant, uuid)
if not held(message, worker) then
  return redis.call('HGET', task, 'by') == worker .. message and 1 or 0
end
local now, pinned = math.floor(clock() / 1000), tonumber(redis.call('HGET', task, 'pins') or 0) > 0
local images = {}
for _, image in ipairs(cjson.decode(ARGV[9])) do
  images[#images + 1] = image.uuid
  local ttl = image.ttl or ARGV[8]
  redis.call('SET', image_key(tenant, image.uuid), cjson.encode(image), 'EX', ttl)
  if pinned then redis.call('PERSIST', image_key(tenant, image.uuid)) end
  redis.call('ZADD', P .. ':expiry', now + ttl, image.blob)
  index(tenant, image, ttl)
end
for _, gone in ipairs(cjson.decode(ARGV[10])) do forget(tenant, gone) end
local failed = cjson.decode(ARGV[6]).failure
redis.call('HSET', task, 'by', worker .. message, 'images', cjson.encode(images))
conclude(tenant, uuid, ARGV[5], ARGV[6], failed and failed.code or '',
  {result_ttl = ARGV[7], seconds = ARGV[11], deliveries = ARGV[12]})
drop(message)
settle(tenant, uuid, failed, ARGV[7])
return 1

--- cancel
-- End tasks that have not ended; for each, what became of it.
-- tenant, result ttl (s), uuids…
local found = {}
for place = 3, #ARGV do found[#found + 1] = stop(ARGV[1], ARGV[place], failure('taskCancelled'), ARGV[2]) end
return found

--- overdue
-- End the tasks whose time is over; how many there were.
-- result ttl (s), how many
local members = redis.call('ZRANGEBYSCORE', P .. ':deadlines', '-inf', clock(), 'LIMIT', 0, ARGV[2])
for _, member in ipairs(members) do
  redis.call('ZREM', P .. ':deadlines', member)
  local what, tenant, uuid = string.match(member, '^(%l+):(.*):([^:]*)$')
  local failed = failure('deadlineExceeded')
  failed.message = string.format(failed.message, what == 'start' and 'started' or 'ended')
  failed.parameter = what == 'start' and 'startWithinMs' or 'deadlineMs'
  stop(tenant, uuid, failed, ARGV[1])
end
return #members

--- ended
-- Tasks that Redis itself has ended and of which nobody has said so yet.
-- how many
return redis.call('LPOP', P .. ':ended', ARGV[1]) or {}

--- drop_once
-- tenant, uuid
local task = task_key(ARGV[1], ARGV[2])
return redis.call('EXISTS', task) == 1 and redis.call('HSETNX', task, 'dropped', 1) or 0
