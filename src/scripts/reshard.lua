-- reshard: notes in one shard over how many the queue is spread, unless jobs lie here that were stored
-- under another number, and would no longer be found, or another process noted its own number meanwhile.
--
-- Reply: 1 noted; 0 refused. A repeat changes nothing.
local jobs_key = KEYS[1]
local meta_key = KEYS[2]
local shards = ARGV[1] -- 0: not noted, as before the first job
local from = ARGV[2] -- what the caller found noted here

local noted = redis.call("HGET", meta_key, "shards") or "0"
if noted ~= shards and (noted ~= from or redis.call("HLEN", jobs_key) > 0) then
  return 0
end
redis.call("HDEL", meta_key, "shards") -- a removal first: a full Redis would refuse HSET
if shards ~= "0" then
  redis.call("HSET", meta_key, "shards", shards)
end
return 1
