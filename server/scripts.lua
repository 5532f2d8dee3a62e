-- Every atomic step. All keys of a tenant lie in one slot; KEYS[1] is the first word of their names
-- ("taskarray:{s0}"), and every other name is made of it, so the steps run unchanged on a Cluster.
-- Redis 6.2 commands only.

--- common
local P = KEYS[1]
local function task_key(tenant, uuid) return P .. ':task:' .. tenant .. ':' .. uuid end
local function waiters_key(tenant, uuid) return P .. ':waiters:' .. tenant .. ':' .. uuid end
local function image_key(tenant, uuid) return P .. ':image:' .. tenant .. ':' .. uuid end
local function session_key(session) return P .. ':session:' .. session end
local function outbox_key(session) return P .. ':outbox:' .. session end
local function open_key(session) return P .. ':open:' .. session end
local function delivery_key(id) return P .. ':delivery:' .. id end
local function owed_key(host) return P .. ':owed:' .. host end

-- A finished task into a session's outbox. Offsets are dense, so that a reader sees a hole.
-- A session that is gone is not made again: its results wait to be asked for.
local function append(session, uuid)
  local gateway = redis.call('HGET', session_key(session), 'gateway')
  if not gateway then return end
  local top = redis.call('HINCRBY', session_key(session), 'top', 1)
  redis.call('XADD', outbox_key(session), top .. '-0', 'task', uuid)
  redis.call('SREM', open_key(session), uuid)
  local left = redis.call('PTTL', session_key(session))
  if left > 0 then redis.call('PEXPIRE', outbox_key(session), left) end
  redis.call('PUBLISH', P .. ':wake:' .. gateway, session)
end

-- A session waits for a task. What it waits for lives as long as the session does.
local function expect(session, tenant, uuid)
  redis.call('SADD', waiters_key(tenant, uuid), session)
  local left = redis.call('PTTL', session_key(session))
  if left <= 0 then return end
  redis.call('SADD', open_key(session), uuid)
  redis.call('PEXPIRE', open_key(session), left)
end

-- The record goes at once; the sweeper finds the blob through the expiry set.
local function forget(tenant, uuid)
  local record = redis.call('GET', image_key(tenant, uuid))
  if not record then return 0 end
  redis.call('ZADD', P .. ':expiry', 0, cjson.decode(record).blob)
  return redis.call('DEL', image_key(tenant, uuid))
end

-- Each host has its own list of deliveries by the time at which they are due, and stands itself in a list by the
-- first of them: so a host with many that are due stands in nobody's way.
local function place(host)
  local first = redis.call('ZRANGE', owed_key(host), 0, 0, 'WITHSCORES')
  if first[2] then redis.call('ZADD', P .. ':hosts', first[2], host)
  else redis.call('ZREM', P .. ':hosts', host) end
end

-- A delivery becomes due, and the senders are told.
local function owe(host, id, at)
  redis.call('ZADD', owed_key(host), at, id)
  place(host)
  redis.call('PUBLISH', P .. ':deliver', P)
end

--- submit
-- The task is known: attach to it, or conflict. Else: remembered, queued and waited for, all or nothing.
-- tenant, uuid, hash, session, mode, result ttl (s), type as sent, delivery, request, result uuids, job, task type,
-- whether workers look at several shards and must be told
local tenant, uuid, hash, session, mode = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local task = task_key(tenant, uuid)
local known = redis.call('HMGET', task, 'hash', 'state', 'uuids')
if known[1] then
  -- The same job, not only the same task: its submit is said again because the reply was lost.
  if known[3] == ARGV[10] then return 'accepted' end
  if known[1] ~= hash or mode == 'conflict' then return 'conflict' end
  if known[2] == 'queued' or known[2] == 'running' then
    expect(session, tenant, uuid)
    return 'attached'
  end
  append(session, uuid)
  return 'replayed'
end
local message = redis.call('XADD', P .. ':jobs', '*', 'job', ARGV[11])
redis.call('HSET', task, 'hash', hash, 'state', 'queued', 'message', message, 'type', ARGV[7],
  'delivery', ARGV[8], 'request', ARGV[9], 'uuids', ARGV[10])
expect(session, tenant, uuid)
redis.call('HINCRBY', P .. ':stats', 'received|' .. ARGV[12], 1)
if ARGV[13] == '1' then redis.call('PUBLISH', P .. ':ready', 'fresh') end
return 'accepted'

--- start
-- A worker began: the fence, and the state that getResponse shows.
-- tenant, uuid, message, worker
local pending = redis.call('XPENDING', P .. ':jobs', 'workers', ARGV[3], ARGV[3], 1)[1]
if not pending or pending[2] ~= ARGV[4] then return 0 end
redis.call('HSET', task_key(ARGV[1], ARGV[2]), 'state', 'running')
return pending[4]

--- renew
-- Only the owner keeps its claim; a worker that was away too long learns that it lost it.
-- message, worker
local pending = redis.call('XPENDING', P .. ':jobs', 'workers', ARGV[1], ARGV[1], 1)[1]
if not pending or pending[2] ~= ARGV[2] then return 0 end
redis.call('XCLAIM', P .. ':jobs', 'workers', ARGV[2], 0, ARGV[1], 'JUSTID')
return 1

--- release
-- The owner hands its job back unharmed: it is stale at once, and the others are told to look for it.
-- message, worker, idle (ms)
local pending = redis.call('XPENDING', P .. ':jobs', 'workers', ARGV[1], ARGV[1], 1)[1]
if not pending or pending[2] ~= ARGV[2] then return 0 end
redis.call('XCLAIM', P .. ':jobs', 'workers', ARGV[2], 0, ARGV[1], 'IDLE', ARGV[3], 'RETRYCOUNT', 0, 'JUSTID')
redis.call('PUBLISH', P .. ':ready', 'stale')
return 1

--- finish
-- The outcome, the new images, the outboxes, the deliveries, the counters and the acknowledgement: together or not,
-- and only for the worker that still owns the job. Said again by the same owner it changes nothing.
-- tenant, uuid, message, worker, state, outcome, result ttl (s), image ttl (s), images to register,
-- images to forget, task type, code, seconds, now (s), deliveries
local tenant, uuid, message, worker = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local task = task_key(tenant, uuid)
local pending = redis.call('XPENDING', P .. ':jobs', 'workers', message, message, 1)[1]
if not pending or pending[2] ~= worker then
  return redis.call('HGET', task, 'by') == worker .. message and 1 or 0
end
for _, image in ipairs(cjson.decode(ARGV[9])) do
  local ttl = image.ttl or ARGV[8]
  redis.call('SET', image_key(tenant, image.uuid), cjson.encode(image), 'EX', ttl)
  redis.call('ZADD', P .. ':expiry', ARGV[14] + ttl, image.blob)
end
for _, gone in ipairs(cjson.decode(ARGV[10])) do forget(tenant, gone) end
redis.call('HSET', task, 'state', ARGV[5], 'outcome', ARGV[6], 'by', worker .. message, 'seconds', ARGV[13])
redis.call('HDEL', task, 'progress', 'stage')
redis.call('EXPIRE', task, ARGV[7])
for _, session in ipairs(redis.call('SMEMBERS', waiters_key(tenant, uuid))) do append(session, uuid) end
redis.call('DEL', waiters_key(tenant, uuid))
for _, owed in ipairs(cjson.decode(ARGV[15])) do
  redis.call('HSET', delivery_key(owed.id), 'host', owed.host, 'about', cjson.encode(owed), 'attempts', 0)
  owe(owed.host, owed.id, ARGV[14])
end
redis.call('XACK', P .. ':jobs', 'workers', message)
redis.call('XDEL', P .. ':jobs', message)
redis.call('HINCRBY', P .. ':usage:' .. tenant, math.floor(ARGV[14] / 86400) .. '|' .. ARGV[11], 1)
local stats = P .. ':stats'
redis.call('HINCRBY', stats, 'finished|' .. ARGV[11] .. '|' .. ARGV[5] .. '|' .. ARGV[12], 1)
redis.call('HINCRBYFLOAT', stats, 'seconds|' .. ARGV[11], ARGV[13])
for _, edge in ipairs({0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300}) do
  if tonumber(ARGV[13]) <= edge then
    redis.call('HINCRBY', stats, 'bucket|' .. ARGV[11] .. '|' .. edge, 1)
    break
  end
end
return 1

--- collect
-- Deliveries that are due, lent to a sender for a while; no more for one host than its share.
-- sender, now (s), lent until (s), how many, how many for one host, what this sender has for each host already
local left, share, busy, found = tonumber(ARGV[4]), tonumber(ARGV[5]), cjson.decode(ARGV[6]), {}
for _, host in ipairs(redis.call('ZRANGEBYSCORE', P .. ':hosts', '-inf', ARGV[2], 'LIMIT', 0, 200)) do
  local room = math.min(left, share - (busy[host] or 0))
  if room > 0 then
    for _, id in ipairs(redis.call('ZRANGEBYSCORE', owed_key(host), '-inf', ARGV[2], 'LIMIT', 0, room)) do
      redis.call('ZADD', owed_key(host), ARGV[3], id)
      redis.call('HSET', delivery_key(id), 'sender', ARGV[1])
      local attempt = redis.call('HINCRBY', delivery_key(id), 'attempts', 1)
      found[#found + 1] = {redis.call('HGET', delivery_key(id), 'about'), attempt}
      left = left - 1
    end
    place(host)
  end
end
return found

--- lend
-- The sender is still at it. One that another sender has taken meanwhile stays that one's.
-- sender, lent until (s), ids…
for n = 3, #ARGV do
  local about = redis.call('HMGET', delivery_key(ARGV[n]), 'host', 'sender')
  if about[2] == ARGV[1] then
    redis.call('ZADD', owed_key(about[1]), 'XX', ARGV[2], ARGV[n])
    place(about[1])
  end
end
return 1

--- delivered
-- Nothing is owed any more, whoever sent it.
-- id
local host = redis.call('HGET', delivery_key(ARGV[1]), 'host')
if not host then return 0 end
redis.call('DEL', delivery_key(ARGV[1]))
redis.call('ZREM', owed_key(host), ARGV[1])
redis.call('ZREM', P .. ':dead', ARGV[1])
place(host)
return 1

--- undelivered
-- An attempt has failed: again later, or never again. What it is made of, the task's outcome, is kept as well.
-- sender, id, tenant, uuid, reason, now (s), due again (s; 0: it is given up), how long the dead are kept (s)
local key, task = delivery_key(ARGV[2]), task_key(ARGV[3], ARGV[4])
local about = redis.call('HMGET', key, 'host', 'sender')
if about[2] ~= ARGV[1] then return 0 end
redis.call('HSET', key, 'reason', ARGV[5], 'tried', ARGV[6])
redis.call('HDEL', key, 'sender')
if redis.call('TTL', task) < tonumber(ARGV[8]) then redis.call('EXPIRE', task, ARGV[8]) end
if ARGV[7] ~= '0' then
  redis.call('ZADD', owed_key(about[1]), ARGV[7], ARGV[2])
else
  redis.call('ZREM', owed_key(about[1]), ARGV[2])
  redis.call('ZADD', P .. ':dead', ARGV[6], ARGV[2])
  redis.call('ZREMRANGEBYSCORE', P .. ':dead', '-inf', ARGV[6] - ARGV[8])
  redis.call('EXPIRE', key, ARGV[8])
end
place(about[1])
return 1

--- replay
-- A delivery that was given up is due again, with all its attempts before it.
-- id, now (s)
if redis.call('ZREM', P .. ':dead', ARGV[1]) == 0 then return 0 end
local host = redis.call('HGET', delivery_key(ARGV[1]), 'host')
if not host then return 0 end
redis.call('PERSIST', delivery_key(ARGV[1]))
redis.call('HSET', delivery_key(ARGV[1]), 'attempts', 0)
owe(host, ARGV[1], ARGV[2])
return 1

--- use
-- An image's record; its whole life starts again, unless it was given an end of its own.
-- tenant, uuid, image ttl (s), now (s)
local key = image_key(ARGV[1], ARGV[2])
local record = redis.call('GET', key)
if not record then return false end
local image = cjson.decode(record)
if not image.ttl then
  redis.call('EXPIRE', key, ARGV[3])
  redis.call('ZADD', P .. ':expiry', ARGV[4] + ARGV[3], image.blob)
end
return record

--- forget
-- tenant, uuid
return forget(ARGV[1], ARGV[2])

--- due
-- Blobs whose term is over and whose record is gone; one that was used meanwhile gets its new term.
-- now (s), how many
local gone = {}
for _, blob in ipairs(redis.call('ZRANGEBYSCORE', P .. ':expiry', '-inf', ARGV[1], 'LIMIT', 0, ARGV[2])) do
  local tenant, uuid = string.match(blob, '^images/([^/]+)/[^/]+/([^.]+)')
  local left = redis.call('TTL', image_key(tenant, uuid))
  if left < 0 then gone[#gone + 1] = blob
  else redis.call('ZADD', P .. ':expiry', ARGV[1] + left + 1, blob) end
end
return gone

--- open
-- A new session of a tenant on a gateway.
-- session, tenant, gateway, ttl (s)
redis.call('HSET', session_key(ARGV[1]), 'tenant', ARGV[2], 'gateway', ARGV[3], 'top', 0, 'confirmed', 0)
redis.call('EXPIRE', session_key(ARGV[1]), ARGV[4])
return 1

--- resume
-- The session moves to this gateway. Owner first, reading after: else a result falls between.
-- session, tenant, gateway, ttl (s)
local meta = redis.call('HMGET', session_key(ARGV[1]), 'tenant', 'gateway', 'confirmed', 'sent')
if meta[1] ~= ARGV[2] then return false end
redis.call('HSET', session_key(ARGV[1]), 'gateway', ARGV[3])
for _, key in ipairs({session_key(ARGV[1]), outbox_key(ARGV[1]), open_key(ARGV[1])}) do
  redis.call('EXPIRE', key, ARGV[4])
end
redis.call('PUBLISH', P .. ':wake:' .. meta[2], 'taken:' .. ARGV[1] .. ':' .. ARGV[3])
local waiting = {}
for _, uuid in ipairs(redis.call('SMEMBERS', open_key(ARGV[1]))) do
  local about = redis.call('HMGET', task_key(ARGV[2], uuid), 'request', 'delivery')
  if about[2] == 'async' then waiting[#waiting + 1] = about[1] end
end
return {meta[3], meta[4] or meta[3], waiting}

--- read
-- What lies in a session's outbox after an offset, with the outcomes.
-- session, tenant, after, how many
local found = {}
for _, entry in ipairs(redis.call('XRANGE', outbox_key(ARGV[1]), '(' .. ARGV[3] .. '-0', '+', 'COUNT', ARGV[4])) do
  local offset = string.match(entry[1], '^%d+')
  local about = redis.call('HMGET', task_key(ARGV[2], entry[2][2]), 'request', 'outcome', 'delivery')
  found[#found + 1] = {tonumber(offset), entry[2][2], about[1], about[2], about[3]}
end
return found

--- touch
-- A session is still connected, and this far its client surely has what was sent.
-- session, gateway, ttl (s), confirmed, sent
if redis.call('HGET', session_key(ARGV[1]), 'gateway') ~= ARGV[2] then return 0 end
redis.call('HSET', session_key(ARGV[1]), 'confirmed', ARGV[4], 'sent', ARGV[5])
redis.call('XTRIM', outbox_key(ARGV[1]), 'MINID', ARGV[4] .. '-1')
for _, key in ipairs({session_key(ARGV[1]), outbox_key(ARGV[1]), open_key(ARGV[1])}) do
  redis.call('EXPIRE', key, ARGV[3])
end
return 1

--- restore
-- A session that Redis has lost while its client is connected: made again, and what it waits for is found again.
-- Answers with the tasks that are lost as well; with nothing when the session is there, as another gateway's.
-- session, tenant, gateway, ttl (s), sent, uuids…
local session, tenant = ARGV[1], ARGV[2]
if redis.call('EXISTS', session_key(session)) == 1 then return false end
redis.call('HSET', session_key(session), 'tenant', tenant, 'gateway', ARGV[3],
  'top', ARGV[5], 'confirmed', ARGV[5], 'sent', ARGV[5])
redis.call('EXPIRE', session_key(session), ARGV[4])
redis.call('DEL', outbox_key(session), open_key(session))
local lost = {}
for place = 6, #ARGV do
  local state = redis.call('HGET', task_key(tenant, ARGV[place]), 'state')
  if not state then lost[#lost + 1] = ARGV[place]
  elseif state == 'queued' or state == 'running' then expect(session, tenant, ARGV[place])
  else append(session, ARGV[place]) end
end
return lost

--- close
-- A session that nobody can resume: what it waited for is asked for in other ways.
-- session
redis.call('DEL', session_key(ARGV[1]), outbox_key(ARGV[1]), open_key(ARGV[1]))
return 1

--- spend
-- The generic cell rate algorithm: 0 when `n` tasks may pass, else the seconds to wait.
-- tenant, n, tasks a second, burst, now (s)
local key = P .. ':rate:' .. ARGV[1]
local n, rate, burst, now = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local free = math.max(tonumber(redis.call('GET', key) or 0), now)
local after = free + n / rate
if after - now > burst / rate then return tostring(after - now - burst / rate) end
redis.call('SET', key, string.format('%.6f', after), 'EX', math.ceil(after - now) + 1)
return '0'

--- foresee
-- A prediction that is about to be submitted, in the list of its tenant: no longer than `most`, nothing before `first`.
-- tenant, uuid, model, now (ms), most, first (ms), how long the list is kept (s)
local list = P .. ':predictions:' .. ARGV[1]
redis.call('ZADD', list, ARGV[4], ARGV[2] .. ' ' .. ARGV[3])
redis.call('ZREMRANGEBYRANK', list, 0, -ARGV[5] - 1)
redis.call('ZREMRANGEBYSCORE', list, '-inf', ARGV[6])
redis.call('EXPIRE', list, ARGV[7])
return 1

--- listed
-- The predictions of a tenant from one time up to another, newest first, as uuid, model, state, …; of those that are
-- still kept.
-- tenant, from (ms), to (ms)
local found = {}
for _, entry in ipairs(redis.call('ZREVRANGE', P .. ':predictions:' .. ARGV[1], 0, -1)) do
  local uuid, model = string.match(entry, '^(%S+) (.*)$')
  local about = redis.call('HMGET', task_key(ARGV[1], uuid), 'state', 'message')
  local created = about[2] and tonumber(string.match(about[2], '^%d+'))
  if created and created >= tonumber(ARGV[2]) and created < tonumber(ARGV[3]) then
    found[#found + 1] = uuid
    found[#found + 1] = model
    found[#found + 1] = about[1]
  end
end
return found

--- erase
-- A finished task and its results are gone at once; for a while it is known that they were.
-- tenant, uuid, grace (s)
local task, tenant, uuid = task_key(ARGV[1], ARGV[2]), ARGV[1], ARGV[2]
local known = redis.call('HMGET', task, 'state', 'uuids', 'message')
if known[1] ~= 'succeeded' and known[1] ~= 'failed' then return 0 end
for _, image in ipairs(cjson.decode(known[2])) do forget(tenant, image) end
redis.call('DEL', task)
redis.call('SET', P .. ':erased:' .. tenant .. ':' .. uuid, known[3], 'EX', ARGV[3])
return 1

--- dropped
-- Whoever asked for a task went away before the answer: the same request may come again and take it up.
-- tenant, fingerprint, uuid, how long (s)
local list = P .. ':dropped:' .. ARGV[1] .. ':' .. ARGV[2]
redis.call('RPUSH', list, ARGV[3])
redis.call('EXPIRE', list, ARGV[4])
return 1
