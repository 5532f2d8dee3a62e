-- Uploads that come in parts. Each part is a blob of its own, noted here, so that an upload goes on at any gateway.
-- The hash of one has: id, frames (0: pieces in their order), bytes (0: nobody knows yet), hash; got (bytes), have
-- (parts) and `part:‹index›`; once its task is taken, `content` and what the upload was.

--- upload_open
-- An upload as it stands, begun where there is none; nothing where the tenant has as many under way as it may. One
-- that has been silent for a minute makes room.
-- tenant, uuid, id, frames, bytes, hash, ttl (s), most
local key, all, now = P .. ':upload:' .. ARGV[1] .. ':' .. ARGV[2], P .. ':uploads:' .. ARGV[1], clock()
if redis.call('EXISTS', key) == 0 then
  redis.call('ZREMRANGEBYSCORE', all, '-inf', now - ARGV[7] * 1000)
  if redis.call('ZCARD', all) >= tonumber(ARGV[8]) then
    local silent = redis.call('ZRANGE', all, 0, 0, 'WITHSCORES')
    if now - silent[2] < 60000 then return false end
    redis.call('ZREM', all, silent[1])
    redis.call('DEL', P .. ':upload:' .. ARGV[1] .. ':' .. silent[1])
  end
  redis.call('HSET', key, 'id', ARGV[3], 'frames', ARGV[4], 'bytes', ARGV[5], 'hash', ARGV[6], 'got', 0, 'have', 0)
  redis.call('EXPIRE', key, ARGV[7])
  redis.call('ZADD', all, now, ARGV[2])
  redis.call('EXPIRE', all, ARGV[7])
end
return redis.call('HGETALL', key)

--- upload_part
-- A part has come. Pieces are taken in their order only: `at` is where this one begins, empty for a frame.
-- Answers with the bytes and the parts that have come in all; with nothing where the part is not wanted (any more).
-- tenant, uuid, id, index, blob, bytes, at, ttl (s)
local key, all = P .. ':upload:' .. ARGV[1] .. ':' .. ARGV[2], P .. ':uploads:' .. ARGV[1]
local about = redis.call('HMGET', key, 'id', 'got', 'content', 'part:' .. ARGV[4], 'have')
if about[1] ~= ARGV[3] or about[3] then return false end
local part = ARGV[6] .. ' ' .. ARGV[5]
-- Said again because the reply was lost: it is the very part that is noted.
if about[4] == part then return {tonumber(about[2]), tonumber(about[5])} end
if about[4] or ARGV[7] ~= '' and ARGV[7] ~= about[2] then return false end
redis.call('HSET', key, 'part:' .. ARGV[4], part)
local got = redis.call('HINCRBY', key, 'got', ARGV[6])
local have = redis.call('HINCRBY', key, 'have', 1)
redis.call('EXPIRE', key, ARGV[8])
redis.call('ZADD', all, clock(), ARGV[2])
redis.call('EXPIRE', all, ARGV[8])
return {got, have}

--- upload_close
-- An upload is over. With `content` its task is taken: the hash is kept for whoever sends the same again.
-- tenant, uuid, id, content, ttl (s)
local key = P .. ':upload:' .. ARGV[1] .. ':' .. ARGV[2]
if redis.call('HGET', key, 'id') ~= ARGV[3] then return 0 end
local bytes = redis.call('HGET', key, 'got')
redis.call('DEL', key)
redis.call('ZREM', P .. ':uploads:' .. ARGV[1], ARGV[2])
if ARGV[4] ~= '' then
  redis.call('HSET', key, 'id', ARGV[3], 'content', ARGV[4], 'frames', 0, 'bytes', bytes, 'hash', '', 'got', bytes,
    'have', 0)
  redis.call('EXPIRE', key, ARGV[5])
end
return 1
