-- redrive: `dead` -> `delayed`, due now, with attempts back to 0 and the last error forgotten.
--
-- Reply, one integer an id: 1 redriven; 0: it is not among the dead. A repeat changes nothing.
-- uses: time, last-error, total, wake
local delayed_key = KEYS[1]
local dead_key = KEYS[2]
local jobs_key = KEYS[3]
local attempts_key = KEYS[4]
local errors_key = KEYS[5]
local waiting_key = KEYS[6]
local meta_key = KEYS[7]
local wake_channel = ARGV[1]
local list, list_from = ARGV, 2 -- each: id

local now = now_ms()
local redriven = total(meta_key, "redriven")
redis.call("ZCARD", delayed_key) -- checks the types: nothing may fail after the first write
redis.call("ZCARD", waiting_key)
redis.call("HLEN", errors_key)
redis.call("HLEN", attempts_key)

local reply, ids, scores, marks, seen = {}, {}, {}, {}, {}
for index, died in ipairs(redis.call("ZMSCORE", dead_key, unpack(list, list_from))) do
  local id = list[list_from + index - 1]
  reply[index] = 0
  if died and not seen[id] then
    ids[#ids + 1], seen[id] = id, true
    if redis.call("HEXISTS", jobs_key, id) == 1 then
      reply[index] = 1
      scores[#scores + 1], scores[#scores + 2] = now, id
      marks[#marks + 1], marks[#marks + 2] = id, entry_of_redrive()
    end
  end
end

if #ids > 0 then
  redis.call("ZREM", dead_key, "") -- removes nothing: a full Redis refuses a script whose first write adds
  redis.call("HDEL", attempts_key, unpack(ids))
  redis.call("HDEL", errors_key, unpack(ids))
  if #scores > 0 then
    redis.call("HSET", errors_key, unpack(marks))
    redis.call("ZADD", delayed_key, unpack(scores))
    redis.call("HSET", meta_key, "redriven", redriven + #scores / 2)
    wake_for(waiting_key, meta_key, wake_channel, now, now)
  end
  redis.call("ZREM", dead_key, unpack(ids))
end
return reply
