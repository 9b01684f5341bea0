-- reshard: replaces what is noted in one shard about the number of shards, unless something else is noted
-- than the caller found, or jobs lie here, which would no longer be found.
--
-- A note is a number, or the mark of a change that is under way: then `enqueue` stores nothing here.
--
-- Reply: 1 noted; 0 refused. A repeat changes nothing.
local jobs_key = KEYS[1]
local meta_key = KEYS[2]
local note = ARGV[1]
local from = ARGV[2] -- 0: nothing is noted yet

local noted = redis.call("HGET", meta_key, "shards") or "0"
if noted ~= note and (noted ~= from or redis.call("HLEN", jobs_key) > 0) then
  return 0
end
redis.call("HDEL", meta_key, "shards") -- a removal first: a full Redis would refuse HSET
redis.call("HSET", meta_key, "shards", note)
return 1
