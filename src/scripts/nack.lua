-- nack: `processing` -> `delayed`, due again after a delay. Counts an attempt unless it is a release.
--
-- Reply, one integer a job: its new due time in ms; 0 stale: the token is no longer in force;
--   -1 gone: no such job. A repeat finds the token out of force and changes nothing.
-- uses: time, number, lease, last-error, total, wake
local delayed_key = KEYS[1]
local processing_key = KEYS[2]
local jobs_key = KEYS[3]
local attempts_key = KEYS[4]
local errors_key = KEYS[5]
local waiting_key = KEYS[6]
local meta_key = KEYS[7]
local wake_channel = ARGV[1]
local list, list_from = ARGV, 2 -- each: id, token, delay_ms, counts (1 or 0), error (empty: the last one stands)

local now = now_ms()
local retried = total(meta_key, "retried")
redis.call("ZCARD", delayed_key) -- checks the types: nothing may fail after the first write
redis.call("ZCARD", waiting_key)

local reply, leases, scores, counted = {}, {}, {}, {}
local ids, texts, releases = {}, {}, {}
local earliest_due = math.huge
for index, lease in ipairs(held_leases(processing_key, list, list_from, 5)) do
  local at = list_from + index * 5 - 5
  local id, delay_ms, counts, error_text = list[at], milliseconds(list[at + 2]), list[at + 3] == "1", list[at + 4]
  local exists = redis.call("HEXISTS", jobs_key, id) == 1
  reply[index] = exists and 0 or -1
  if lease then
    leases[#leases + 1] = lease
  end
  if lease and exists then
    local due = now + delay_ms
    reply[index], earliest_due = due, math.min(earliest_due, due)
    scores[#scores + 1], scores[#scores + 2] = due, id
    if counts then
      counted[#counted + 1] = id
    end
    ids[#ids + 1], texts[#texts + 1], releases[#releases + 1] = id, error_text, not counts
  end
end
local attempts = {}
for index, count in ipairs(#counted > 0 and redis.call("HMGET", attempts_key, unpack(counted)) or {}) do
  attempts[index * 2 - 1], attempts[index * 2] = counted[index], count_of(count) + 1
end
local entries, forgotten = entries_after(errors_key, ids, texts, releases)

if #leases > 0 then
  redis.call("ZREM", processing_key, "") -- removes nothing: a full Redis refuses a script whose first write adds
  if #attempts > 0 then
    redis.call("HSET", attempts_key, unpack(attempts))
    redis.call("HSET", meta_key, "retried", retried + #counted)
  end
  if #entries > 0 then
    redis.call("HSET", errors_key, unpack(entries))
  end
  if #forgotten > 0 then
    redis.call("HDEL", errors_key, unpack(forgotten))
  end
  if #scores > 0 then
    redis.call("ZADD", delayed_key, unpack(scores))
    wake_for(waiting_key, meta_key, wake_channel, now, earliest_due)
  end
  redis.call("ZREM", processing_key, unpack(leases))
end
return reply
