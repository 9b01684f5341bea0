-- reap: expired leases -> `delayed`, oldest first, at most max_jobs. Counts an attempt for each.
-- The job is due at once, unless its attempt before ended in an expired lease as well: then it may be
-- the job that takes its workers down, and waits its backoff.
--
-- Reply: ms until the next lease ends (0: more have ended already, -1: there is none), then two values
--   a job: id, counted attempts. A repeat finds those leases gone.
-- uses: time, number, lease, last-error, total, wake
local delayed_key = KEYS[1]
local processing_key = KEYS[2]
local dead_key = KEYS[3]
local jobs_key = KEYS[4]
local attempts_key = KEYS[5]
local errors_key = KEYS[6]
local waiting_key = KEYS[7]
local meta_key = KEYS[8]
local max_jobs = tonumber(ARGV[1])
local wake_channel = ARGV[2]
local list, list_from = ARGV, 3 -- each: delay_ms (by counted attempts; the last serves for all above)

local now = now_ms()
local expired = redis.call("ZRANGE", processing_key, "-inf", now, "BYSCORE", "LIMIT", 0, max_jobs)
local next_end = tonumber(redis.call("ZRANGE", processing_key, #expired, #expired, "WITHSCORES")[2])
local reply = { next_end and math.max(0, next_end - now) or -1 }
if #expired == 0 then
  return reply
end
local expired_total = total(meta_key, "expired")
redis.call("ZCARD", waiting_key) -- checks the type: nothing may fail after the first write
local ids, scores, attempts, errors = {}, {}, {}, {}
local named = {}
for _, lease in ipairs(expired) do
  named[#named + 1] = split_lease(lease)
end
local delayed = #named > 0 and redis.call("ZMSCORE", delayed_key, unpack(named))
local dead = #named > 0 and redis.call("ZMSCORE", dead_key, unpack(named))
for index, id in ipairs(named) do
  -- A lease without a job only goes, and so does one whose job is elsewhere, as a crash may leave it (decision 0012).
  if not delayed[index] and not dead[index] and redis.call("HEXISTS", jobs_key, id) == 1 then
    ids[#ids + 1] = id
  end
end
local counts = #ids > 0 and redis.call("HMGET", attempts_key, unpack(ids))
local last_errors = #ids > 0 and redis.call("HMGET", errors_key, unpack(ids))
local earliest_due = math.huge
for index, id in ipairs(ids) do
  local count = count_of(counts[index]) + 1
  local is_second_in_a_row = is_of_lost_lease(last_errors[index])
  local due = now + (is_second_in_a_row and milliseconds(list[math.min(list_from + count - 1, #list)]) or 0)
  earliest_due = math.min(earliest_due, due)
  scores[#scores + 1], scores[#scores + 2] = due, id
  attempts[#attempts + 1], attempts[#attempts + 2] = id, count
  errors[#errors + 1], errors[#errors + 2] = id, entry_of_lost_lease()
  reply[#reply + 1], reply[#reply + 2] = id, count
end

redis.call("ZREM", processing_key, "") -- removes nothing: a full Redis refuses a script whose first write adds
if #ids > 0 then
  redis.call("HSET", attempts_key, unpack(attempts))
  redis.call("HSET", errors_key, unpack(errors))
  redis.call("ZADD", delayed_key, unpack(scores))
  redis.call("HSET", meta_key, "expired", expired_total + #ids)
  wake_for(waiting_key, meta_key, wake_channel, now, earliest_due)
end
redis.call("ZREM", processing_key, unpack(expired))
return reply
