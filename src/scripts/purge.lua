-- purge: `dead` -> gone, for good.
--
-- Reply, one integer an id: 1 purged; 0: it is not among the dead. A repeat changes nothing.
-- uses: total
local dead_key = KEYS[1]
local jobs_key = KEYS[2]
local attempts_key = KEYS[3]
local errors_key = KEYS[4]
local meta_key = KEYS[5]
local list, list_from = ARGV, 1 -- each: id

local purged = total(meta_key, "purged")
redis.call("HLEN", jobs_key) -- checks the types: nothing may fail after the first write
redis.call("HLEN", attempts_key)
redis.call("HLEN", errors_key)

local reply, ids, seen = {}, {}, {}
for index, died in ipairs(redis.call("ZMSCORE", dead_key, unpack(list, list_from))) do
  local id = list[list_from + index - 1]
  reply[index] = 0
  if died and not seen[id] then
    ids[#ids + 1], seen[id] = id, true
    reply[index] = 1
  end
end

if #ids > 0 then
  redis.call("ZREM", dead_key, unpack(ids))
  redis.call("HDEL", jobs_key, unpack(ids))
  redis.call("HDEL", attempts_key, unpack(ids))
  redis.call("HDEL", errors_key, unpack(ids))
  redis.call("HSET", meta_key, "purged", purged + #ids)
end
return reply
