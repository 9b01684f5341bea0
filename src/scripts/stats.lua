-- stats: counts of the queue. Read only.
--
-- Reply, integers: delayed (not yet due), due, processing, dead, age of the oldest due job in ms (-1:
--   none), paused (1 or 0), waiting workers; then the running totals: enqueued, completed, retried,
--   expired, buried, redriven, cancelled, purged.
-- uses: time
local delayed_key = KEYS[1]
local processing_key = KEYS[2]
local dead_key = KEYS[3]
local waiting_key = KEYS[4]
local meta_key = KEYS[5]

local now = now_ms()
local due = redis.call("ZCOUNT", delayed_key, "-inf", now)
local head_due = tonumber(redis.call("ZRANGE", delayed_key, 0, 0, "WITHSCORES")[2])
local fields = { "paused", "enqueued", "completed", "retried", "expired", "buried", "redriven", "cancelled", "purged" }
local meta = redis.call("HMGET", meta_key, unpack(fields))
local reply = {
  redis.call("ZCARD", delayed_key) - due,
  due,
  redis.call("ZCARD", processing_key),
  redis.call("ZCARD", dead_key),
  head_due and head_due <= now and now - head_due or -1,
  meta[1] and 1 or 0,
  redis.call("ZCOUNT", waiting_key, now - 100, "+inf"),
}
for at = 2, #fields do
  reply[#reply + 1] = tonumber(meta[at] or 0) or 0
end
return reply
