-- open: may this release of holdfast use the queue's data? Read only, once a queue object.
--
-- Reply: the data version (0: the queue is new), what is noted of the number of shards (0: nothing yet; see
--   reshard), stored jobs, then the name of each part whose type is wrong.
local delayed_key = KEYS[1]
local processing_key = KEYS[2]
local dead_key = KEYS[3]
local jobs_key = KEYS[4]
local attempts_key = KEYS[5]
local errors_key = KEYS[6]
local claims_key = KEYS[7]
local waiting_key = KEYS[8]
local meta_key = KEYS[9]

local reply = { 0, "0", 0 }
local function check(part, key, expected)
  local found = redis.call("TYPE", key).ok
  if found ~= "none" and found ~= expected then
    reply[#reply + 1] = part
  end
end
check("delayed", delayed_key, "zset")
check("processing", processing_key, "zset")
check("dead", dead_key, "zset")
check("jobs", jobs_key, "hash")
check("attempts", attempts_key, "hash")
check("errors", errors_key, "hash")
check("claims", claims_key, "hash")
check("waiting", waiting_key, "zset")
check("meta", meta_key, "hash")
if #reply == 3 then
  local meta = redis.call("HMGET", meta_key, "version", "shards")
  reply[1] = tonumber(meta[1] or 0) or 0
  reply[2] = meta[2] or "0"
  reply[3] = redis.call("HLEN", jobs_key)
end
return reply
