-- Rates and counters, and what the predictions API keeps besides the tasks.

--- count
-- What a process has counted since it last said so.
-- name, how many more, …
for place = 1, #ARGV, 2 do redis.call('HINCRBYFLOAT', P .. ':stats', ARGV[place], ARGV[place + 1]) end
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
  local about = redis.call('HMGET', task_key(ARGV[1], uuid), 'state', 'created')
  local created = tonumber(about[2])
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
local known = redis.call('HMGET', task, 'state', 'uuids', 'created')
if not is_over(known[1]) then return 0 end
for _, image in ipairs(cjson.decode(known[2])) do forget(tenant, image) end
loosen(tenant, task)
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
