-- Sessions and their outboxes.

--- open
-- A new session of a tenant on a gateway.
-- session, tenant, gateway, ttl (s), whether it is told how its tasks stand
redis.call('HSET', session_key(ARGV[1]), 'tenant', ARGV[2], 'gateway', ARGV[3], 'top', 0, 'confirmed', 0,
  'events', ARGV[5])
redis.call('EXPIRE', session_key(ARGV[1]), ARGV[4])
return 1

--- resume
-- The session moves to this gateway. Owner first, reading after: else a result falls between.
-- session, tenant, gateway, ttl (s), whether it is told how its tasks stand
local meta = redis.call('HMGET', session_key(ARGV[1]), 'tenant', 'gateway', 'confirmed', 'sent')
if meta[1] ~= ARGV[2] then return false end
redis.call('HSET', session_key(ARGV[1]), 'gateway', ARGV[3], 'events', ARGV[5])
for _, key in ipairs({session_key(ARGV[1]), outbox_key(ARGV[1]), open_key(ARGV[1])}) do
  redis.call('EXPIRE', key, ARGV[4])
end
redis.call('PUBLISH', P .. ':wake:' .. meta[2], 'taken:' .. ARGV[1] .. ':' .. ARGV[3])
local waiting = {}
for _, uuid in ipairs(redis.call('SMEMBERS', open_key(ARGV[1]))) do
  local about = redis.call('HMGET', task_key(ARGV[2], uuid), 'request', 'delivery')
  if about[1] then waiting[#waiting + 1] = about end
end
return {meta[3], meta[4] or meta[3], waiting}

--- read
-- What lies in a session's outbox after an offset, with the outcomes.
-- session, tenant, after, how many
local found = {}
for _, entry in ipairs(redis.call('XRANGE', outbox_key(ARGV[1]), '(' .. ARGV[3] .. '-0', '+', 'COUNT', ARGV[4])) do
  local offset = string.match(entry[1], '^%d+')
  local about = redis.call('HMGET', task_key(ARGV[2], entry[2][2]), 'request', 'outcome', 'delivery', 'oversized')
  found[#found + 1] = {tonumber(offset), entry[2][2], about[1], about[2], about[3], about[4]}
end
return found

--- oversized
-- A client hung up on a task's answer for its size: once more. One that is no longer kept is not made again.
-- tenant, uuid
local task = task_key(ARGV[1], ARGV[2])
return redis.call('EXISTS', task) == 1 and redis.call('HINCRBY', task, 'oversized', 1)

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
-- session, tenant, gateway, ttl (s), sent, whether it is told how its tasks stand, uuids…
local session, tenant = ARGV[1], ARGV[2]
local owner = redis.call('HGET', session_key(session), 'gateway')
if owner and owner ~= ARGV[3] then return false end
redis.call('HSET', session_key(session), 'tenant', tenant, 'gateway', ARGV[3],
  'top', ARGV[5], 'confirmed', ARGV[5], 'sent', ARGV[5], 'events', ARGV[6])
redis.call('EXPIRE', session_key(session), ARGV[4])
redis.call('DEL', outbox_key(session), open_key(session))
local lost = {}
for place = 7, #ARGV do
  local state = redis.call('HGET', task_key(tenant, ARGV[place]), 'state')
  if not state then lost[#lost + 1] = ARGV[place]
  elseif is_over(state) then append(session, ARGV[place])
  else expect(session, tenant, ARGV[place]) end
end
return lost

--- close
-- A session that nobody can resume: what it waited for is asked for in other ways.
-- session
redis.call('DEL', session_key(ARGV[1]), outbox_key(ARGV[1]), open_key(ARGV[1]))
return 1
