-- cancel: `delayed` -> gone. A job that is held or dead is left as it is.
--
-- Reply: "cancelled", or where the job is instead: "processing", "dead", "gone".
-- A repeat finds it gone and changes nothing.
-- uses: place, total
local delayed_key = KEYS[1]
local dead_key = KEYS[2]
local jobs_key = KEYS[3]
local attempts_key = KEYS[4]
local errors_key = KEYS[5]
local meta_key = KEYS[6]
local id = ARGV[1]

if not redis.call("ZSCORE", delayed_key, id) then
  return place_beside_delayed(jobs_key, dead_key, id)
end
local cancelled = total(meta_key, "cancelled")
redis.call("HLEN", jobs_key) -- checks the type: nothing may fail after the first write
-- Most jobs never fail, so most often both are empty. HLEN checks their types as well.
local has_history = redis.call("EXISTS", attempts_key, errors_key) > 0
  and redis.call("HLEN", attempts_key) + redis.call("HLEN", errors_key) > 0

redis.call("ZREM", delayed_key, id)
redis.call("HDEL", jobs_key, id)
if has_history then
  redis.call("HDEL", attempts_key, id)
  redis.call("HDEL", errors_key, id)
end
redis.call("HSET", meta_key, "cancelled", cancelled + 1)
return "cancelled"
