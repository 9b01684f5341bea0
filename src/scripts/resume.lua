-- resume: ends a pause, and sees to it that somebody looks at the head of `delayed` in time.
--
-- Reply: 1. A repeat changes nothing.
-- uses: time, wake
local delayed_key = KEYS[1]
local waiting_key = KEYS[2]
local meta_key = KEYS[3]
local wake_channel = ARGV[1]

local now = now_ms()
local head_due = tonumber(redis.call("ZRANGE", delayed_key, 0, 0, "WITHSCORES")[2])
redis.call("ZCARD", waiting_key) -- checks the type: nothing may fail after the first write

redis.call("HDEL", meta_key, "paused")
if head_due then
  wake_for(waiting_key, meta_key, wake_channel, now, head_due)
end
return 1
