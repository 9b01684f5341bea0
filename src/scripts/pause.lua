-- pause: claims give nothing until resume. What is held goes on, and enqueue goes on.
--
-- Reply: 1. A repeat changes nothing.
local meta_key = KEYS[1]

redis.call("HDEL", meta_key, "paused") -- a removal first: a full Redis would refuse HSET
redis.call("HSET", meta_key, "paused", 1)
return 1
