-- What is owed to receivers: lent to a sender, delivered or given up.

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
local left = redis.call('TTL', task)
if left > -2 then redis.call('HSET', task, 'kept', ARGV[8]) end
if left > -1 and left < tonumber(ARGV[8]) then redis.call('EXPIRE', task, ARGV[8]) end
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
