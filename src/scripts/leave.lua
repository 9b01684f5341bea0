-- leave: a worker goes. Its name leaves `waiting` and `claims`, and the watch is handed over.
--
-- Reply: 1. A repeat changes nothing.
-- uses: time, wake
local delayed_key = KEYS[1]
local claims_key = KEYS[2]
local waiting_key = KEYS[3]
local meta_key = KEYS[4]
local worker_id = ARGV[1]
local wake_channel = ARGV[2]

local now = now_ms()
local head_due = tonumber(redis.call("ZRANGE", delayed_key, 0, 0, "WITHSCORES")[2])
redis.call("HLEN", claims_key) -- checks the types: nothing may fail after the first write
redis.call("HLEN", meta_key)

redis.call("ZREM", waiting_key, worker_id)
redis.call("HDEL", claims_key, worker_id)
if head_due then
  wake_for(waiting_key, meta_key, wake_channel, now, head_due)
end
return 1
