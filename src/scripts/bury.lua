-- bury: `processing` -> `dead`, with the reason.
--
-- Reply, one integer a job: 1 buried; 0 stale: the token is no longer in force; -1 gone: no such job.
-- A repeat finds the token out of force and changes nothing.
-- uses: time, lease, last-error, total
local processing_key = KEYS[1]
local dead_key = KEYS[2]
local jobs_key = KEYS[3]
local attempts_key = KEYS[4]
local errors_key = KEYS[5]
local meta_key = KEYS[6]
local list, list_from = ARGV, 1 -- each: id, token, counts (1 or 0), reason (empty: the last error stands)

local now = now_ms()
local buried = total(meta_key, "buried")
redis.call("ZCARD", dead_key) -- checks the type: nothing may fail after the first write

local reply, leases, scores, counted, ids, reasons = {}, {}, {}, {}, {}, {}
for index, lease in ipairs(held_leases(processing_key, list, list_from, 4)) do
  local at = list_from + index * 4 - 4
  local id, counts, reason = list[at], list[at + 2] == "1", list[at + 3]
  local exists = redis.call("HEXISTS", jobs_key, id) == 1
  reply[index] = exists and 0 or -1
  if lease then
    leases[#leases + 1] = lease
  end
  if lease and exists then
    reply[index] = 1
    scores[#scores + 1], scores[#scores + 2] = now, id
    ids[#ids + 1], reasons[#reasons + 1] = id, reason
    if counts then
      counted[#counted + 1] = id
    end
  end
end
local attempts = {}
for index, count in ipairs(#counted > 0 and redis.call("HMGET", attempts_key, unpack(counted)) or {}) do
  attempts[index * 2 - 1], attempts[index * 2] = counted[index], count_of(count) + 1
end
local entries, forgotten = entries_after(errors_key, ids, reasons, {})

if #leases > 0 then
  redis.call("ZREM", processing_key, "") -- removes nothing: a full Redis refuses a script whose first write adds
  if #attempts > 0 then
    redis.call("HSET", attempts_key, unpack(attempts))
  end
  if #entries > 0 then
    redis.call("HSET", errors_key, unpack(entries))
  end
  if #forgotten > 0 then
    redis.call("HDEL", errors_key, unpack(forgotten))
  end
  if #scores > 0 then
    redis.call("ZADD", dead_key, unpack(scores))
    redis.call("HSET", meta_key, "buried", buried + #scores / 2)
  end
  redis.call("ZREM", processing_key, unpack(leases))
end
return reply
