-- What steps begin with; each gets what it uses of this. All keys of a tenant lie in one slot; KEYS[1] is the first
-- word of their names ("taskarray:{s0}"), and every other name is made of it, so the steps run unchanged on a
-- Cluster. Redis 6.2 commands only. FAILURES, SHARDS and IMAGE_TTL stand before this (see store.py).

local P = KEYS[1]
local JOBS = P .. ':jobs'
local function task_key(tenant, uuid) return P .. ':task:' .. tenant .. ':' .. uuid end
local function waiters_key(tenant, uuid) return P .. ':waiters:' .. tenant .. ':' .. uuid end
local function children_key(tenant, uuid) return P .. ':children:' .. tenant .. ':' .. uuid end
local function waiting_key(tenant) return P .. ':waiting:' .. tenant end
local function batch_key(tenant, batch) return P .. ':batch:' .. tenant .. ':' .. batch end
local function image_key(tenant, uuid) return P .. ':image:' .. tenant .. ':' .. uuid end
local function content_key(tenant, hash) return P .. ':content:' .. tenant .. ':' .. hash end
local function session_key(session) return P .. ':session:' .. session end
local function outbox_key(session) return P .. ':outbox:' .. session end
local function open_key(session) return P .. ':open:' .. session end
local function delivery_key(id) return P .. ':delivery:' .. id end
local function owed_key(host) return P .. ':owed:' .. host end

-- Milliseconds since 1970, by the one clock that all processes share.
local function clock()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- A new failure of a code, to be filled in.
local function failure(code) return cjson.decode(FAILURES)[code] end

local function is_over(state) return state == 'succeeded' or state == 'failed' end

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

-- How a task stands, to the sessions that wait for it and asked to be told, and to boards while somebody looks at
-- one. A hint: nothing is kept of it.
local function announce(tenant, uuid, event)
  for _, session in ipairs(redis.call('SMEMBERS', waiters_key(tenant, uuid))) do
    local about = redis.call('HMGET', session_key(session), 'gateway', 'events')
    if about[1] and about[2] == '1' then
      event.taskUUID = uuid
      redis.call('PUBLISH', P .. ':wake:' .. about[1], 'event:' .. session .. ':' .. cjson.encode(event))
    end
  end
  if redis.call('EXISTS', P .. ':watched') == 1 then
    event.tenant, event.taskUUID = tenant, uuid
    redis.call('PUBLISH', P .. ':board', cjson.encode(event))
  end
end

-- The record goes at once; the sweeper finds the blob through the expiry set.
local function forget(tenant, uuid)
  local record = redis.call('GET', image_key(tenant, uuid))
  if not record then return 0 end
  redis.call('ZADD', P .. ':expiry', 0, cjson.decode(record).blob)
  return redis.call('DEL', image_key(tenant, uuid))
end

-- Of several images with the same content the first is found, unless it ends before a later one. `ttl` in seconds.
local function index(tenant, image, ttl)
  for _, hash in ipairs(image.hashes or {}) do
    local first = redis.call('GET', content_key(tenant, hash))
    local other = first and first ~= image.uuid and redis.call('GET', image_key(tenant, first))
    local ends = other and cjson.decode(other).ttl
    if not other or ends and redis.call('TTL', image_key(tenant, first)) < tonumber(ttl) then
      redis.call('SET', content_key(tenant, hash), image.uuid, 'EX', ttl)
    end
  end
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
