-- The image registry.

--- use
-- An image's record; its whole life starts again, unless it was given an end of its own or is pinned.
-- tenant, uuid, image ttl (s), now (s)
local key = image_key(ARGV[1], ARGV[2])
local record = redis.call('GET', key)
if not record then return false end
local image = cjson.decode(record)
if not image.ttl then
  if redis.call('TTL', key) ~= -1 then redis.call('EXPIRE', key, ARGV[3]) end
  redis.call('ZADD', P .. ':expiry', ARGV[4] + ARGV[3], image.blob)
  index(ARGV[1], image, ARGV[3])
end
return record

--- forget
-- tenant, uuid
return forget(ARGV[1], ARGV[2])

--- due
-- Blobs whose term is over and whose record is gone; one that was used meanwhile gets its new term. What came with
-- a task that was ended has no record.
-- now (s), how many
local gone = {}
for _, blob in ipairs(redis.call('ZRANGEBYSCORE', P .. ':expiry', '-inf', ARGV[1], 'LIMIT', 0, ARGV[2])) do
  local tenant, uuid = string.match(blob, '^images/([^/]+)/[^/]+/([^.]+)')
  local left = tenant and redis.call('TTL', image_key(tenant, uuid)) or -2
  if left == -2 then gone[#gone + 1] = blob
  else redis.call('ZADD', P .. ':expiry', ARGV[1] + (left < 0 and 60 or left) + 1, blob) end
end
return gone
