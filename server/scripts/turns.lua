-- Whose turn it is: what steps have in common about the order of jobs.

-- Jobs on the stream that no worker has taken.
local function untaken()
  local pending = redis.pcall('XPENDING', JOBS, 'workers')
  return redis.call('XLEN', JOBS) - (pending.err and 0 or pending[1])
end

-- The next job onto the stream. Tenants take turns, the one that was served longest ago first; of a tenant, the first
-- by priority, then by age.
local function give()
  local tenant = redis.call('ZRANGE', P .. ':turns', 0, 0)[1]
  if not tenant then return end
  local uuid = redis.call('ZPOPMIN', waiting_key(tenant))[1]
  local turn = redis.call('INCR', P .. ':turn')
  redis.call('HSET', P .. ':served', tenant, turn)
  if redis.call('EXISTS', waiting_key(tenant)) == 1 then redis.call('ZADD', P .. ':turns', turn, tenant)
  else redis.call('ZREM', P .. ':turns', tenant) end
  local job = uuid and redis.call('HGET', task_key(tenant, uuid), 'job')
  if not job then return end
  redis.call('HSET', task_key(tenant, uuid), 'message', redis.call('XADD', JOBS, '*', 'job', job))
  if SHARDS > 1 then redis.call('PUBLISH', P .. ':ready', 'fresh') end
end

-- The stream holds one job that nobody has taken yet; all others wait for their turn.
local function feed()
  if untaken() < 1 then give() end
end

-- A task may run: it waits for its turn. Whether it has to be fed: while others of its tenant wait, it has not.
local function enqueue(tenant, uuid, rank)
  redis.call('ZADD', waiting_key(tenant), rank, uuid)
  if redis.call('ZSCORE', P .. ':turns', tenant) then return false end
  redis.call('ZADD', P .. ':turns', redis.call('HGET', P .. ':served', tenant) or 0, tenant)
  return true
end
